// Arguments of the C API: structs that grow, flags, shapes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include "c/errors.h"
#include "core/subject.h"
#include "pqw.h"
#include "pqw/io/options.h"

namespace pqw::c {

// Errors: kInvalidArgument for a struct that was not initialised, naming the macro that does.
template <class T>
void require_struct(const T* given, const char* macro) {
  if (given->struct_size >= sizeof(std::size_t)) return;
  throw invalid_argument("struct_size is {}: initialise the struct with {}", given->struct_size,
                         macro);
}

// A struct of the caller, whose version of it may have fewer fields than this one: they keep the
// values of `standard`. Fields that this version does not have must be zero.
// Errors: kInvalidArgument, as require_struct.
template <class T>
T read_struct(const T* from, const T& standard, const char* macro) {
  T result = standard;
  if (from == nullptr) return result;
  require_struct(from, macro);
  const std::size_t size = from->struct_size;
  std::memcpy(&result, from, std::min(size, sizeof(T)));
  for (std::size_t i = sizeof(T); i < size; ++i) {
    if (reinterpret_cast<const unsigned char*>(from)[i] == 0) continue;
    throw invalid_argument(
        "a struct of {} bytes sets options that this version ({}) does not have; initialise it "
        "with {}",
        size, pqw_version(), macro);
  }
  result.struct_size = sizeof(T);
  return result;
}

// The inverse: fills in the fields that the caller's version of the struct has.
template <class T>
void write_struct(T value, T* to, const char* macro) {
  require_struct(to, macro);
  const std::size_t size = to->struct_size;
  value.struct_size = size;
  std::memcpy(to, &value, std::min(size, sizeof(T)));
}

// Errors: kInvalidArgument for a flag that is not one of `known`.
inline void require_flags(std::uint32_t flags, std::uint32_t known) {
  if ((flags & ~known) != 0) {
    throw invalid_argument("flags {:#x} hold {:#x}, which this function does not have", flags,
                           flags & ~known);
  }
}

inline ReadOptions read_options(std::uint32_t flags) {
  return {.trusted = (flags & PQW_TRUSTED) != 0};
}

}  // namespace pqw::c
