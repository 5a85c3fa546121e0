// An ONNX file as nested protobuf messages: where they are in the file, and their content without
// the data of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/input_file.h"

namespace pqw {

// The messages of onnx.proto that may contain tensors, and the inputs of graphs.
enum class OnnxMessage {
  kModel,
  kTraining,
  kFunction,
  kGraph,
  kNode,
  kAttribute,
  kSparseTensor,
  kTensor,
  kInput,
};

inline constexpr std::size_t kNoTensor = static_cast<std::size_t>(-1);

// A message in the file. Layout: tag, length, content; the model has neither tag nor length.
struct OnnxSpan {
  std::uint64_t begin = 0;  // of the tag
  std::uint64_t content = 0;
  std::uint64_t end = 0;
  std::size_t parent = 0;          // index of the message that contains it; the model is 0
  std::size_t tensor = kNoTensor;  // index in OnnxWire::tensors
};

// Where the values of a tensor are in the file.
struct OnnxStored {
  std::size_t span = 0;
  bool has_raw = false;
  std::uint64_t raw_begin = 0;  // of the bytes of raw_data
  std::uint64_t raw_bytes = 0;
  int typed_field = 0;        // the number of float_data, int32_data, ...; 0 without
  std::uint64_t n_typed = 0;  // elements in it
};

struct OnnxWire {
  std::vector<OnnxSpan> spans;  // a message comes before those in it
  std::vector<OnnxStored> tensors;
  // A serialized onnx::ModelProto without the data of tensors, and without texts of more than 1 MiB.
  // The doc_string of a message is the index of its span.
  std::string skeleton;
};

// Errors: kFormat, kIo; kUnsupported beyond 2 GiB, which is as much as protobuf allows.
OnnxWire read_onnx_wire(const InputFile& file);

// Whether the first fields are those of an ONNX model: a version, short texts, then a graph or
// operator sets. TensorFlow's saved_model.pb differs in its second field, a large message.
bool is_onnx_wire(const InputFile& file);

}  // namespace pqw
