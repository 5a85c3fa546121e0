// The config.json of a model in the layout of AQLM.
#include "formats/aqlm_config.h"

#include <nlohmann/json.hpp>

#include "core/subject.h"

namespace pqw {

std::string aqlm_config_text(const AqlmConfig& config, const std::string& path,
                             const std::string& original) {
  constexpr int kMostLevels = 64;
  using Json = nlohmann::ordered_json;
  const Subject subject{path};
  const auto require_flat = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMostLevels) throw subject.error("more than {} levels", kMostLevels);
    return true;
  };
  Json json = original.empty() ? Json::object() : Json::parse(original, require_flat, false);
  if (!json.is_object()) throw subject.error("not a JSON object");
  json["quantization_config"] = {{"quant_method", "aqlm"},
                                 {"nbits_per_codebook", config.bits},
                                 {"num_codebooks", config.n_codebooks},
                                 {"out_group_size", 1},
                                 {"in_group_size", config.block_size},
                                 {"linear_weights_not_to_quantize", config.plain}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pqw
