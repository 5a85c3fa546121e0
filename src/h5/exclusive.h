// Lets one thread at a time use HDF5.
#pragma once

#include <mutex>

namespace pqw::h5 {

// Hold this lock while you work with handles. Its holder may take it again. A fork waits for it, so
// that a child never starts in the middle of an HDF5 operation.
std::unique_lock<std::recursive_mutex> exclusive();

}  // namespace pqw::h5
