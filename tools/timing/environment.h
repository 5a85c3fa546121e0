// The environment that OpenMP reads before main does.
#pragma once

#include <cstddef>

namespace pqw::timing {

// The stack of each OpenMP thread. The default, the limit on stacks, may be far too low for one
// thread or far too high for many threads.
inline constexpr std::size_t kThreadStackBytes = std::size_t{2} << 20;

// Returns whether the program measures contenders that take turns. Each program that contains
// environment.cpp defines it. It is called before anything else.
bool contenders_take_turns(int argc, char** argv);

}  // namespace pqw::timing
