// Reports as JSON.
#pragma once

#include <string>

#include "pqw/pipeline/report.h"

namespace pqw::tool {

// {"tensors": [{"name", "shape", "codec", "bits_per_weight", "relative_error", "sqnr_db",
// "max_abs_error", "cosine", "bytes", ...}], "total": {"original_bytes", "file_bytes", "ratio",
// "bits_per_weight", "relative_error", "sqnr_db", "seconds"}}; null where nothing was measured and
// for an infinite value.
std::string to_json(const Report& report);

}  // namespace pqw::tool
