// The environment that OpenMP reads before main does.
#pragma once

#include <cstddef>

namespace pqw::tool {

// The stack of each thread of OpenMP: the limit on stacks, by which it would go otherwise, may be
// far too low for a thread or far too high for many.
inline constexpr std::size_t kThreadStackBytes = std::size_t{2} << 20;

// Each program that contains environment.cpp defines this: whether it measures contenders that take
// turns. It is called before anything else.
bool contenders_take_turns(int argc, char** argv);

}  // namespace pqw::tool
