// Reports as JSON.
#pragma once

#include "cli/json.h"
#include "pqw/pipeline/report.h"

namespace pqw::tool {

// Appends "tensors", "skipped" and "total". A value is null if it was not measured or is
// infinite.
void append(const Report& report, Json& document);

}  // namespace pqw::tool
