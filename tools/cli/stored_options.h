// The options of a tensor, as its record in an archive has them.
#pragma once

#include <string>

#include "pqw/codecs/settings.h"
#include "pqw/pipeline/report.h"

namespace pqw::tool {

// Empty for a text that is not one of settings: archives are not trusted.
Settings stored_settings(const std::string& text);

// "engine=faiss,seed=1": the options that are neither defaults of the codec nor in `settings`.
std::string unusual_options(const TensorReport& tensor);

}  // namespace pqw::tool
