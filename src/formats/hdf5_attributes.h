// Texts in attributes of the groups of an HDF5 file, as metadata of a weight file.
//
// Key: the name of an attribute of the root group that is one text; for all others
// "hdf5:GROUP@NAME", and "hdf5:GROUP@NAME[]" for a list of texts, whose value is a JSON array.
// GROUP is a path without a leading slash, empty for the root group.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "h5/handle.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// Adds the texts of an open group, which has that path, and takes their bytes from `bytes_left`.
// Leaves out attributes that are not texts or not UTF-8. Returns false if a text is longer than
// that: then the rest is left out. Errors: those of HDF5; more attributes than any group of weights
// has.
bool read_attributes(h5::Id group, const std::string& path, Metadata& metadata,
                     std::size_t& bytes_left, const Subject& subject);

struct Hdf5Attribute {
  std::string group;
  std::string name;
  std::vector<std::string> values;  // one if it is not a list
  bool is_list = false;
};

// The attribute that an item of metadata stands for: one of the root group unless the key is one of
// the others. Errors: kUnsupported if HDF5 cannot hold it.
Hdf5Attribute attribute_of(const std::string& key, const std::string& value,
                           const Subject& subject);

void write_attribute(h5::Id group, const Hdf5Attribute& attribute, const Subject& subject);

}  // namespace pqw
