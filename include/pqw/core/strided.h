// Copies tensors into memory of a caller, with strides and in the type that the caller wants.
#pragma once

#include <cstddef>
#include <span>

#include "pqw/core/dtype.h"

namespace pqw {

// Memory of the caller for the elements of a tensor: element (i, j, ...) at
// data + i * strides[0] + j * strides[1] + ... The caller keeps the memory alive.
struct StridedBuffer {
  std::byte* data = nullptr;  // any alignment
  DType dtype = DType::kF32;
  std::span<const std::ptrdiff_t> strides = {};  // bytes, also negative; empty: row-major, no gaps
};

// Whether elements of the one type can be copied as elements of the other: the types are equal and
// of whole bytes, or both are float types (is_compressible).
bool is_convertible(DType from, DType to);

// Errors: kInvalidArgument unless a tensor of that type and shape can be copied to `to`: the types
// are convertible, there is one stride per dimension, and no two elements share memory.
void require_fits(DType dtype, std::span<const std::size_t> shape, const StridedBuffer& to);

// Copies the elements of `from`, row-major and little-endian. Other float types are converted as
// core/convert.h says: widening is exact; narrowing rounds, F64 by way of F32.
// Errors: those of require_fits. REQUIRES: from.size() is the size of a tensor of that type and
// shape; `to` shares no memory with it.
void copy_to_strided(std::span<const std::byte> from, DType dtype,
                     std::span<const std::size_t> shape, const StridedBuffer& to);

}  // namespace pqw
