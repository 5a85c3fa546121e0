// The drivers by which HDF5 reads and writes files that are not its own.
#pragma once

#include "h5/handle.h"
#include "h5/sparse_file.h"
#include "io/input_file.h"

namespace pqw::h5 {

// Sets the file access list up to read `file` from its descriptor, which is open and checked, never
// by a name. `file` has to outlive what is opened with the list. It has the size that it had when it
// was opened: one that was cut since ends in read errors.
void use_input_file(Id access_list, const InputFile& file, const Subject& subject);

// Sets the file access list up to write to `file`, which has to outlive what is created with the
// list. The allocation is that of files on disk.
void use_sparse_file(Id access_list, SparseFile& file, const Subject& subject);

}  // namespace pqw::h5
