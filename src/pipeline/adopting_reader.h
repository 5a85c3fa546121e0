// A file whose int8 weights appear as the floats that they stand for.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pipeline/int8_reference.h"
#include "pqw/codecs/int8.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// A tensor as a file has it.
struct StoredPart {
  const TensorInfo& info;
  std::span<const std::byte> bytes;
};

// The weight of values, scales and, if there is a third part, zero points. Scales of type F64 are
// rounded to float. Errors: kInvalidArgument, naming the file `path` and the tensor, for scales and
// zero points that int8.h does not allow.
Int8Weight adopted_weight(const std::string& path, std::span<const StoredPart> parts);

// The tensor that the weight decodes to. It has the name of its values; its type is the type of its
// scale if that is F16 or BF16, else F32.
TensorInfo adopted_info(const TensorInfo& values, const TensorInfo& scale);

// Presents each reference as one float tensor. Its scale and zero point are not listed as tensors.
class AdoptingReader : public WeightReader {
 public:
  // Messages call the file `path`.
  AdoptingReader(const std::string& path, std::unique_ptr<WeightReader> file,
                 std::vector<Int8Reference> references);

  std::size_t stored_as(std::size_t index) const override;
  std::vector<std::byte> read(std::size_t index) const override;

 private:
  const Int8Reference* reference_at(std::size_t index) const;

  std::string path_;
  std::unique_ptr<WeightReader> file_;
  std::vector<Int8Reference> references_;
  std::vector<std::size_t> origins_;
};

}  // namespace pqw
