// Runs of the tool in which an allocation fails.
#pragma once

namespace pqw::torture {

// Prints a row for each command and returns whether nothing went wrong: no output is torn, no
// success is reported for a wrong one, and only the HDF5 library ends a process.
bool fail_allocations(bool all);

}  // namespace pqw::torture
