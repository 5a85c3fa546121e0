// The tensors of an archive: what is stored, what it stands for, and a file of them all.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "pqw/archive/archive.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/strided.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// The original name, type and shape of a tensor. The type differs from the type of its entry if
// archives do not have the original type (codecs/carried.h). Errors: kCorrupt.
TensorInfo original_info(const ArchiveReader& archive, std::size_t index);

// The index of the tensor that stores the values: for an alias (codecs/alias.h) its target, else
// the index itself. Errors: those of ArchiveReader; kCorrupt when the target is missing, is an
// alias, or has another type, shape or axes.
std::size_t stored_index(const ArchiveReader& archive, std::size_t index);

// is_narrowed: whether the archive holds the values of a tensor in a narrower type (codecs/cast.h).
// has_values: whether it holds them at all, so or byte for byte. read_values: the values in the
// original type. Errors: those of ArchiveReader, carried_bytes and cast_bytes. REQUIRES: not an
// alias; for read_values: has_values.
bool is_narrowed(const ArchiveReader& archive, std::size_t index);
bool has_values(const ArchiveReader& archive, std::size_t index);
std::vector<std::byte> read_values(const ArchiveReader& archive, std::size_t index);

// A compressed tensor of an archive, with the factors of another tensor if it shares them. Errors:
// those of ArchiveReader and weight_from_record. REQUIRES: not an alias, and not has_values.
Weight read_compressed(const ArchiveReader& archive, std::size_t index);

// The decoded tensor in the original type and order. REQUIRES: the weight has the canonical shape
// of `info`.
std::vector<std::byte> decoded_bytes(const Weight& weight, const TensorInfo& info);

// The same in memory of the caller. REQUIRES: also require_fits(info.dtype, info.shape, to).
void decode_to_strided(const Weight& weight, const TensorInfo& info, const StridedBuffer& to);

// An archive seen as a file of decoded tensors, which have their original types. Errors: those of
// ArchiveReader and weight_from_record.
class DecodedArchive : public WeightReader {
 public:
  explicit DecodedArchive(const std::string& path, const ReadOptions& options = {});

  const ArchiveReader& archive() const { return archive_; }

  std::size_t stored_as(std::size_t index) const override;
  std::vector<std::byte> read(std::size_t index) const override;

 private:
  ArchiveReader archive_;
};

// Opens an archive, or a weight file (formats/weight_file.h) as it is, by content. Errors: those of
// ArchiveReader and open_weights.
std::unique_ptr<WeightReader> open_decoded(const std::string& path,
                                           const ReadOptions& options = {});

}  // namespace pqw
