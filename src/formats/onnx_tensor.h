// Types and values of ONNX tensors.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/subject.h"
#include "formats/onnx_wire.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Type and shape of a tensor; `stored` is where its values are. Checks that as many values are
// stored as the shape says, except in external files. Empty for text. Errors: kFormat, kUnsupported.
std::optional<TensorInfo> onnx_tensor_info(const onnx::TensorProto& tensor,
                                           const OnnxStored& stored, const Subject& subject);

// The values of a tensor in float_data, int32_data, ..., row-major and little-endian. `n_bytes` are
// those of its shape.
std::vector<std::byte> onnx_typed_values(const onnx::TensorProto& tensor, std::size_t n_bytes);

}  // namespace pqw
