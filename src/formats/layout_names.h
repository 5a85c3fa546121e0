// Layouts by the names that PyTorch, Keras and Flax give to tensors, for files that say no more.
#pragma once

#include <span>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// The layout of each tensor of a file. Names and shapes tell most: `weight` is [out, in] or [out,
// in, kernel...], `kernel` is [in, out] or [kernel..., in, out]. The linear layers of GPT-2 in
// transformers (c_attn, c_fc, c_proj) are [in, out], which the shape of c_attn or c_fc tells.
// Where names and shapes leave a doubt, `ambiguous` says so. Tensors whose layout their format has
// told keep it.
std::vector<Layout> layouts_by_name(std::span<const TensorInfo> tensors);

// The axes of [kernel..., in, out], or with `swapped` of [kernel..., out, in]. REQUIRES: rank 2 or
// more.
std::vector<std::size_t> kernel_first(std::size_t rank, bool swapped = false);

}  // namespace pqw
