// The flags of quantize that ask for a size or an error.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "cli/json.h"
#include "pqw/compress/target.h"

namespace pqw::tool {

// Adds --target-size, --target-bpw, --target-ratio and --target-error, of which one may be given,
// and --metric, which needs one of them. `target` must outlive the parsing.
void add_target_options(CLI::App& verb, std::optional<Target>& target);

// {"bpw": 2, "metric": "relative"}
Json to_json(const Target& target);

}  // namespace pqw::tool
