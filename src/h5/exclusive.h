// One thread at a time in HDF5.
#pragma once

#include <mutex>

namespace pqw::h5 {

// Held by whatever works with handles, for as long as an operation takes. May be taken again by its
// holder. Forking waits for it, so that a child never finds HDF5 in the middle of something.
std::unique_lock<std::recursive_mutex> exclusive();

}  // namespace pqw::h5
