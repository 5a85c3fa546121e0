// The format that the name of a file stands for.
#pragma once

#include <string>

namespace pqw {

// ".npz" for "a/B.NPZ"; empty if there is no extension.
std::string extension_of(const std::string& path);

// Throws kInvalidArgument for an extension that create_weights does not know.
void require_weight_extension(const std::string& path);

}  // namespace pqw
