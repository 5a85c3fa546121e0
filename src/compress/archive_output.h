// Checks the output of compress before any work.
#pragma once

#include <string>

#include "pqw/compress/recipe.h"

namespace pqw {

// Throws kInvalidArgument when writing the archive would destroy the input or the file of the
// recipe (io/different_files.h), and for the extension of another format. An empty `output` means
// that there is none.
void check_archive_output(const std::string& input, const Recipe& recipe,
                          const std::string& output);

}  // namespace pqw
