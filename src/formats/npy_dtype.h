// Element types of .npy files: numpy's type strings.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "formats/where.h"
#include "pqw/core/dtype.h"

namespace pqw {

struct NpyDtype {
  DType dtype = DType::kF32;
  bool big_endian = false;
};

// "<f4" and the like; a raw "<V2" or "|V2" is BF16, as the ml_dtypes package writes it.
// Errors: kFormat (no type string), kUnsupported (a type that no tensor here can have).
NpyDtype parse_npy_dtype(const InTensor& where, std::string_view descr);

// "unicode text", "byte strings" or "dates or time spans", which are no numbers; empty for the
// rest.
std::optional<std::string_view> npy_text_kind(std::string_view descr);

// The inverse of parse_npy_dtype. Errors: kUnsupported (numpy has no type string for the 8-bit
// floats).
std::string_view format_npy_dtype(const InTensor& where, DType dtype);

}  // namespace pqw
