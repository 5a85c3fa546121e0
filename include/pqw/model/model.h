// Serves and decodes the tensors of an archive or weight file by name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/codecs/weight.h"
#include "pqw/core/strided.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/options.h"
#include "pqw/serve/convolution.h"
#include "pqw/serve/embedding.h"
#include "pqw/serve/linear.h"

namespace pqw {

// An archive, or a weight file (formats/weight_file.h) whose tensors are served as they are.
// Functions that take a name read the tensor from the file; their results do not need the Model
// afterwards. Move-only. Safe to use from several threads at once.
// Errors of all of them name the file and the tensor: kNotFound for an unknown name,
// kInvalidArgument for a type or shape that does not fit, and those of ArchiveReader and
// WeightReader.
class Model {
 public:
  // Errors: those of ArchiveReader and open_weights.
  explicit Model(const std::string& path, const ReadOptions& options = {});
  ~Model();
  Model(Model&&) noexcept;
  Model& operator=(Model&&) noexcept;

  // The original names, types and shapes, in the order of the file.
  const std::vector<TensorInfo>& tensors() const;

  // The index in tensors(); empty if no tensor has that name.
  std::optional<std::size_t> find(std::string_view name) const;

  // The same. Errors: kNotFound.
  std::size_t index_of(std::string_view name) const;

  // The codec of a tensor; "plain" for one that is stored byte for byte or in a narrower type. An
  // alias has the codec of the tensor that it equals.
  std::string codec(const std::string& name) const;

  // The bytes that the file has for a tensor: codes and codebooks, or its values.
  std::uint64_t stored_bytes(const std::string& name) const;

  // Free-form text that the file holds beside its tensors (formats/weight_file.h).
  const Metadata& metadata() const;

  // A tensor of a float type as floats, row-major, in the order of dimensions of tensors().
  std::vector<float> decode(const std::string& name) const;

  // A tensor in memory of the caller, in the order of dimensions of tensors(). A compressed tensor is
  // decoded to float32, a part of it at a time, and converted to the type of `to`. Errors also: those
  // of require_fits. After an error, `to` holds a part of the tensor, or what it held before.
  void decode_to(const std::string& name, const StridedBuffer& to) const;

  // A tensor in its original type, row-major and little-endian.
  std::vector<std::byte> read(const std::string& name) const;

  // A tensor for computations, compressed if the file stores it compressed. Its dimensions are
  // [out, in, kernel...], whatever their order in the file (core/layout.h). The layers below have the
  // same weight.
  Weight weight(const std::string& name) const;

  // Layers that compute with the weight as it is stored. An empty name of the bias means none.
  Linear linear(const std::string& weight, const std::string& bias = "",
                const ServeOptions& serve = {}) const;
  Conv1d conv1d(const std::string& weight, const std::string& bias = "",
                const Conv1dOptions& options = {}, const ServeOptions& serve = {}) const;
  Conv2d conv2d(const std::string& weight, const std::string& bias = "",
                const Conv2dOptions& options = {}, const ServeOptions& serve = {}) const;
  Conv3d conv3d(const std::string& weight, const std::string& bias = "",
                const Conv3dOptions& options = {}, const ServeOptions& serve = {}) const;
  ConvTranspose1d conv_transpose1d(const std::string& weight, const std::string& bias = "",
                                   const ConvTranspose1dOptions& options = {},
                                   const ServeOptions& serve = {}) const;
  ConvTranspose2d conv_transpose2d(const std::string& weight, const std::string& bias = "",
                                   const ConvTranspose2dOptions& options = {},
                                   const ServeOptions& serve = {}) const;
  Embedding embedding(const std::string& weight) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pqw
