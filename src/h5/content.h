// What the elements of an HDF5 dataset are, in whatever way their type is spelled.
#pragma once

#include <optional>
#include <string>

#include "h5/types.h"

namespace pqw::h5 {

struct Content {
  std::optional<FoundType> number;  // when tensors have such elements
  std::string what;                 // "F32", "text", "complex numbers of 16 bytes"
  bool has_numbers = false;         // whether there are numbers in that
};

// Numbers are integers and floats of either byte order whose bits lie as those of a DType, whatever
// their padding is called, the booleans of h5py, and opaque data of 2 bytes: the bfloat16 of those
// who have no type for it (Keras). Of nested types 8 levels and 256 members are looked at; what is
// beyond counts as numbers.
Content content_of(Id dataset, const Context& context);

}  // namespace pqw::h5
