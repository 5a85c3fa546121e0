// Checks of inputs and outputs that the makers of archives share.
#pragma once

#include <string>

#include "pqw/formats/weight_file.h"

namespace pqw {

// Throws kNotFound if the file has no tensor, and kNotCarried if it has numbers outside its tensors
// that must not be left out.
void require_all(const std::string& path, const WeightReader& file, bool skip_unsupported);

// Throws kInvalidArgument if the name of an archive has the extension of another format.
void require_archive_extension(const std::string& output);

}  // namespace pqw
