// Reports as text tables.
#pragma once

#include <string>

#include "pqw/pipeline/report.h"

namespace pqw::tool {

// A line per tensor and one for all of them. The columns of errors are there when measured.
std::string to_table(const Report& report);

}  // namespace pqw::tool
