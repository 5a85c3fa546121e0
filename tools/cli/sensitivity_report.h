// The report of pqw sensitivity as a table, as JSON and as a picture.
#pragma once

#include <cstddef>
#include <string>

#include "cli/json.h"
#include "pqw/compress/sensitivity.h"

namespace pqw::tool {

// The scores of the whole model, then the tensors with the most harm, worst first.
std::string to_table(const SensitivityReport& report, bool all, std::size_t width);

// Appends "score", "points", "tensors", "runs", "target" and "note".
void append(const SensitivityReport& report, Json& document);

// Bars of the harm of each tensor, in the order of the file, as SVG.
std::string to_svg(const SensitivityReport& report, const std::string& title);

}  // namespace pqw::tool
