// A file whose int8 weights appear as the floats that they stand for.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pqw/codecs/int8.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/int8_reference.h"

namespace pqw {

// Presents each reference as one float tensor with the name of its values. The type is the type of
// its scale if that is F16 or BF16, else F32. Its scale and zero point are not listed as tensors.
// Scales of type F64 are rounded to float.
class AdoptingReader : public WeightReader {
 public:
  // Messages call the file `path`.
  AdoptingReader(const std::string& path, std::unique_ptr<WeightReader> file,
                 std::vector<Int8Reference> references);

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const Metadata& metadata() const override { return file_->metadata(); }
  const std::vector<Skipped>& skipped() const override { return file_->skipped(); }
  std::size_t stored_as(std::size_t index) const override;
  std::vector<std::byte> read(std::size_t index) const override;

  // The index in the file.
  std::size_t origin(std::size_t index) const { return origins_[index]; }

  // The weight of a reference, or nothing for other tensors. Errors: those of the file;
  // kInvalidArgument, naming file and tensor, for scales and zero points that int8.h does not
  // allow.
  std::optional<Int8Weight> adopted(std::size_t index) const;

 private:
  const Int8Reference* reference_at(std::size_t index) const;

  std::string path_;
  std::unique_ptr<WeightReader> file_;
  std::vector<Int8Reference> references_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::size_t> origins_;
};

}  // namespace pqw
