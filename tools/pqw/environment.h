// The environment that OpenMP reads before main does.
#pragma once

namespace pqw::tool {

// Each program that contains environment.cpp defines this: whether it measures contenders that take
// turns. It is called before anything else.
bool contenders_take_turns(int argc, char** argv);

}  // namespace pqw::tool
