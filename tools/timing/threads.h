// The number of threads that the tool uses, and the environment that OpenMP reads before main does.
#pragma once

#include <cstddef>

namespace pqw::timing {

// The stack of each OpenMP thread. The default, the limit on stacks, may be far too low for one
// thread or far too high for many threads.
inline constexpr std::size_t kThreadStackBytes = std::size_t{2} << 20;

// Returns whether the program measures contenders that take turns. Each program that contains
// environment.cpp defines it. It is called before anything else.
bool contenders_take_turns(int argc, char** argv);

// How many threads besides this one can exist at the same time now, at most `most`. Starts them to
// find out, and ends them.
std::size_t creatable_threads(std::size_t most);

// Lets OpenMP use that many threads, or fewer if they cannot be created besides the processes that
// read HDF5 files: OpenMP ends the program when it cannot create a thread. Nested regions get one
// thread.
void use_threads(std::size_t n_threads);

// Starts the threads that the next region will use.
void start_openmp_threads();

// The number of threads that OpenMP takes from the environment, at most 1024.
std::size_t default_threads();

}  // namespace pqw::timing
