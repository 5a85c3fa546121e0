// The flags of quantize that are settings, made from the tables of options.
#pragma once

#include <CLI/CLI.hpp>

#include "pqw/compress/recipe.h"

namespace pqw::tool {

// Adds a flag for each key (--block-size for block_size); what the flags say is appended to
// `settings` in the order of the command line. If several codecs have the key, the help tells what
// it means for each.
void add_setting_flags(CLI::App& verb, Settings& settings);

}  // namespace pqw::tool
