// Makes HDF5 read files from a descriptor that is open and checked, never by a name.
#pragma once

#include "h5/handle.h"
#include "io/input_file.h"

namespace pqw::h5 {

// Sets the file access list up to read `file`, which has to outlive what is opened with the list.
// The file has the size that it had when it was opened: one that was cut since ends in read errors.
void use_descriptor(Id access_list, const InputFile& file, const Subject& subject);

}  // namespace pqw::h5
