// What the name of a file says about its format.
#pragma once

#include <string>

namespace pqw {

// ".npz" of "a/B.NPZ"; empty without one.
std::string extension_of(const std::string& path);

// Throws kInvalidArgument for an extension that create_weights does not know.
void require_weight_extension(const std::string& path);

}  // namespace pqw
