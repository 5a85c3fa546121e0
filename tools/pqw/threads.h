// How many threads the tool works with.
#pragma once

#include <cstddef>

namespace pqw::tool {

// How many threads can be created now beside this one, `most` at most: starts them, all at the same
// time, and ends them.
std::size_t creatable_threads(std::size_t most);

// Lets OpenMP use that many threads, or as many as can be created beside the processes that read
// HDF5 files: it ends the program where it cannot create one. Regions inside of regions get one
// thread.
void use_threads(std::size_t n_threads);

// Starts the threads that the next region will use.
void start_openmp_threads();

// The number that OpenMP takes from the environment, 1024 at most.
std::size_t default_threads();

}  // namespace pqw::tool
