// Copies of a weight file in which some tensors have the values that an archive decodes to.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "pqw/formats/weight_file.h"
#include "pqw/io/options.h"

namespace pqw {

// The tensors of an archive that may replace those of the original: of equal name, type and shape.
class DecodedTensors {
 public:
  // Errors: those of open_decoded. REQUIRES: `originals` outlives it.
  DecodedTensors(const std::string& archive, const WeightReader& originals);

  // Whether the archive has the tensor with that index in the original.
  bool has(std::size_t original) const { return places_.at(original) != kNone; }

  // The index in the original of the tensor that stores the values; the index itself if the archive
  // does not have the tensor.
  std::size_t stored_as(std::size_t original) const;

  // The decoded bytes. Safe for use from several threads at once. REQUIRES: has(original).
  std::vector<std::byte> read(std::size_t original) const;

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  std::unique_ptr<WeightReader> reader_;
  std::vector<std::size_t> places_;     // in the archive, by index in the original
  std::vector<std::size_t> originals_;  // by place in the archive
};

// Writes a copy of `model` to `path`, replacing a file there. `tensors` are indices that rise, of
// tensors that the archive has; all else is as in the model, byte for byte. Errors: those of create_copy.
void write_mixed_model(const std::string& model, const WeightReader& originals,
                       const DecodedTensors& decoded, std::span<const std::size_t> tensors,
                       const std::string& path, const ReadOptions& reading);

}  // namespace pqw
