// Inputs that are not the output.
#pragma once

#include <span>
#include <string>

namespace pqw {

// For whoever is about to write `output`: throws when that would replace or remove an input, as
// the input is the output, its temporary sibling or in its folder of parts (io/output_names.h),
// under whatever name or link. Names that are empty or name nothing are left to others.
// Errors: kInvalidArgument.
void require_different_files(std::span<const std::string> inputs, const std::string& output);

}  // namespace pqw
