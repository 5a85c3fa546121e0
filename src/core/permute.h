// Copies a tensor with its dimensions in another order.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// Dimension i of the result is dimension axes[i] of `from`, which has that shape. Works on blocks of
// both, so that caches hold what is read and written. REQUIRES:
// is_permutation(axes, shape.size()); `to` has the size of `from`, element_count(shape) elements of
// 1, 2, 4 or 8 bytes, and shares no memory with it.
void permute(std::span<const std::byte> from, std::span<const std::size_t> shape,
             std::span<const std::size_t> axes, std::span<std::byte> to);

// The axes that undo `axes`.
std::vector<std::size_t> inverse_axes(std::span<const std::size_t> axes);

// The bytes of a tensor from the order of its file to the canonical order, and back. `info` is of
// the file. REQUIRES: elements of 1, 2, 4 or 8 bytes if there are axes.
std::vector<std::byte> to_canonical(const TensorInfo& info, std::vector<std::byte> bytes);
std::vector<std::byte> from_canonical(const TensorInfo& info, std::vector<std::byte> bytes);

}  // namespace pqw
