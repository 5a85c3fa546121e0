// Datatypes, dataspaces and link lists of HDF5, for everything that is created.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "h5/handle.h"
#include "pqw/core/dtype.h"

namespace pqw::h5 {

// Little-endian. REQUIRES: is_basic(dtype). F16, BF16, F8_E4M3 and F8_E5M2 are floats with their
// own fields; BOOL is the enumeration of int8 {FALSE = 0, TRUE = 1} that h5py uses. Valid for the
// life of the process.
Id type_of(DType dtype);

struct FoundType {
  DType dtype;
  bool big_endian;
};

// The element type that equals an HDF5 datatype in either byte order; empty for every other. For
// other spellings of a type see h5/content.h.
std::optional<FoundType> dtype_of(Id type, const Subject& subject);

// A UTF-8 string type of that many bytes, padded with zero bytes. REQUIRES: bytes > 0.
Handle text_type(std::size_t bytes, const Subject& subject);

// The property list of links that this module creates: names are UTF-8.
Handle link_list(const Subject& subject);

// A scalar for an empty shape. REQUIRES: at most kMaxRank dimensions.
Handle create_space(std::span<const std::size_t> shape, const Subject& subject);

}  // namespace pqw::h5
