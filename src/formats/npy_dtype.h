// Element types of .npy files: numpy's type strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/subject.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct NpyDtype {
  DType dtype = DType::kF32;
  bool big_endian = false;
};

// "<f4" and the like; a raw "<V2" or "|V2" is BF16, as the ml_dtypes package writes it. Empty for a
// type that tensors do not have. Errors: kFormat (not a type string).
std::optional<NpyDtype> parse_npy_dtype(const Subject& subject, std::string_view descr);

// Describes an array of a type that tensors do not have: unicode text, complex numbers, ...
// REQUIRES: parse_npy_dtype(descr) is empty.
Skipped describe_npy_dtype(const std::string& name, std::string_view descr);

// The inverse of parse_npy_dtype. Errors: kUnsupported (a type for which numpy has no type string).
std::string_view format_npy_dtype(const Subject& subject, const TensorInfo& info);

}  // namespace pqw
