// An archive seen as a file of decoded tensors.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pqw/archive/archive.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// The tensors have their original types. Errors: those of ArchiveReader and weight_from_record.
class DecodedArchive : public WeightReader {
 public:
  explicit DecodedArchive(const std::string& path, const ReadOptions& options = {});

  const ArchiveReader& archive() const { return archive_; }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const Metadata& metadata() const override { return archive_.metadata(); }
  const std::vector<Skipped>& skipped() const override { return skipped_; }
  std::size_t stored_as(std::size_t index) const override;
  std::vector<std::byte> read(std::size_t index) const override;

 private:
  ArchiveReader archive_;
  std::vector<TensorInfo> tensors_;
  std::vector<Skipped> skipped_;
};

// Opens an archive, or a weight file (formats/weight_file.h) as it is, by content. Errors: those of
// ArchiveReader and open_weights.
std::unique_ptr<WeightReader> open_decoded(const std::string& path,
                                           const ReadOptions& options = {});

}  // namespace pqw
