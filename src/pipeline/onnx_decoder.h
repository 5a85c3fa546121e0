// ONNX nodes that decode a weight.
#pragma once

#include <string>

#include "pipeline/onnx_nodes.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Whether nodes can decode the weight to the type of the tensor.
bool has_decoder(const Weight& weight, const TensorInfo& info, std::int64_t opset);

// Adds nodes that decode the whole weight; the last one has the output `name`, a tensor as in the
// file. Its values are those of decode_rows, and of low_rank almost. REQUIRES: has_decoder.
void add_decoder(OnnxNodes& nodes, const Weight& weight, const TensorInfo& info,
                 const std::string& name);

// The same for Gather along the rows: `ids` are indices of any shape, the output has the shape
// [ids..., cols]. REQUIRES: has_decoder; a matrix in canonical order.
void add_row_decoder(OnnxNodes& nodes, const Weight& weight, const TensorInfo& info,
                     const std::string& ids, const std::string& name);

// Adds nodes that decode two factors whose product is the tensor, and returns their names.
// REQUIRES: has_decoder; a matrix.
struct OnnxFactors {
  std::string first, second;
};
OnnxFactors add_factors(OnnxNodes& nodes, const LowRankWeight& weight, const TensorInfo& info);

// Adds nodes that widen the values of a narrowed tensor.
void add_widening(OnnxNodes& nodes, const TensorInfo& info, DType narrow,
                  std::span<const std::byte> values, const std::string& name);

}  // namespace pqw
