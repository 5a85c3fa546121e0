// The options of a tensor, as its record in an archive has them.
#include <algorithm>

#include "cli/report.h"
#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"

namespace pqw::tool {
namespace {

Settings defaults_of(const TensorReport& tensor) {
  try {
    const CodecOptions defaults = options_from({{"codec", tensor.codec}});
    return parse_settings(to_string(resolved(defaults, tensor.info.shape)));
  } catch (const Error&) {  // a codec of a later version
    return {};
  }
}

}  // namespace

Settings stored_settings(const std::string& text) {
  try {
    return parse_settings(text);
  } catch (const Error&) {
    return {};
  }
}

std::string unusual_options(const TensorReport& tensor) {
  const Settings defaults = defaults_of(tensor), shown = stored_settings(tensor.settings);
  std::string text;
  for (const auto& setting : stored_settings(tensor.options)) {
    const auto& key = setting.first;
    const bool is_known =
        std::ranges::find(defaults, setting) != defaults.end() || has_key(shown, key);
    // Gains are outcomes; the other outcomes are in the note of a run.
    if (is_known || key.starts_with("gain_")) continue;
    text += (text.empty() ? "" : ",") + key + "=" + setting.second;
  }
  return text;
}

}  // namespace pqw::tool
