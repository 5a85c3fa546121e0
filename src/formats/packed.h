// Files that gzip or zstd packed.
#pragma once

#include "io/input_file.h"

namespace pqw {

// The content of a packed file, in a temporary file without a name; messages name both, as in
// "w.npz.gz: w.npz". A file that is not packed is returned as it is.
// Errors: kFormat (broken, or more than its expansion allows: formats/expansion.h); kUnsupported (a
// pqw archive); kIo.
InputFile unpacked(InputFile file);

}  // namespace pqw
