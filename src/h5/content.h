// The elements of an HDF5 dataset: numbers or not, for every spelling of their type.
#pragma once

#include <optional>
#include <string>

#include "h5/types.h"

namespace pqw::h5 {

struct Content {
  std::optional<FoundType> number;  // set if tensors can have these elements
  std::string what;                 // "F32", "text", "complex numbers of 16 bytes"
  bool has_numbers = false;         // whether there are numbers in that
};

// Numbers are: integers and floats of either byte order with the bit layout of a DType, whatever
// their padding; the booleans of h5py; opaque data of 2 bytes, which is how Keras stores bfloat16.
// In nested types, 8 levels and 256 members are examined; anything beyond counts as numbers.
Content content_of(Id dataset, const Subject& subject);

}  // namespace pqw::h5
