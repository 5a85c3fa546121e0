// Values of ONNX tensors in other files of the model's folder.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <string>

#include "core/subject.h"

namespace pqw {

// Bytes of a file beside the model.
struct OnnxExternal {
  std::string path;  // without symbolic links
  std::uint64_t offset = 0;
  std::uint64_t n_bytes = 0;
  std::uint64_t file_bytes = 0;
};

// Where the n_bytes of a tensor are. The location is a relative path that stays in the folder of
// the model: no "..", and no symbolic link that leads out. Nothing is opened. Errors: kFormat,
// kNotFound.
OnnxExternal locate_external(const std::string& model, const onnx::TensorProto& tensor,
                             std::uint64_t n_bytes, const Subject& subject);

}  // namespace pqw
