// Casts: F32 tensors whose values a record stores in a narrower float type.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "pqw/core/record.h"

namespace pqw {

inline constexpr char kCastCodec[] = "cast";

// Layout: section `values`, F16 or BF16, of the shape of the tensor; `values` are its bytes.
// REQUIRES: the tensor is F32.
Record cast_record(const TensorInfo& info, DType dtype, std::span<const std::byte> values);

// The type of the stored values. Errors: kUnsupported (features), kCorrupt.
DType cast_dtype(const Record& record);

// The values as F32. Errors: those of cast_dtype.
std::vector<std::byte> cast_bytes(const Record& record);

}  // namespace pqw
