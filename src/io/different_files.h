// Makes sure that an output is not one of the inputs.
#pragma once

#include <span>
#include <string>

namespace pqw {

// Throws if writing `output` would replace or remove an input: the input is the output, its
// temporary sibling, or in its folder of parts (io/output_names.h), under any name or link. Ignores
// names that are empty or do not exist. Call it before any work. Errors: kInvalidArgument.
void require_different_files(std::span<const std::string> inputs, const std::string& output);

}  // namespace pqw
