// The Python dict literal in the header of a .npy file.
#pragma once

#include <string>
#include <string_view>

#include "core/subject.h"
#include "pqw/core/tensor.h"

namespace pqw {

struct NpyLiteral {
  std::string descr;  // empty for a structured type
  bool is_structured = false;
  bool fortran_order = false;
  Shape shape;
};

// Accepts only the texts that numpy writes: a dict of exactly those three keys in any order,
// plain strings, True or False, a tuple of non-negative integers (with the L of Python 2). A
// structured type (descr is a list or a tuple) is skipped. Errors: kFormat.
NpyLiteral parse_npy_literal(const Subject& subject, std::string_view text);

}  // namespace pqw
