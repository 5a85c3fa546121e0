// The config.json of a model in the layout of AQLM.
#include "formats/aqlm_config.h"

#include <nlohmann/json.hpp>

#include "core/subject.h"
#include "formats/json_splice.h"

namespace pqw {

std::string aqlm_config_text(const AqlmConfig& config, const std::string& path,
                             const std::string& original) {
  constexpr int kMostLevels = 64;
  using Json = nlohmann::ordered_json;
  const std::string text = original.empty() ? "{}\n" : original;
  const Subject subject{path};
  const auto require_flat = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > kMostLevels) throw subject.error("more than {} levels", kMostLevels);
    return true;
  };
  if (!Json::parse(text, require_flat, false).is_object()) throw subject.error("not a JSON object");
  const Json quantization = {{"quant_method", "aqlm"},
                             {"nbits_per_codebook", config.bits},
                             {"num_codebooks", config.n_codebooks},
                             {"out_group_size", 1},
                             {"in_group_size", config.block_size},
                             {"linear_weights_not_to_quantize", config.plain}};
  return with_member(text, "quantization_config", indented_json(quantization));
}

}  // namespace pqw
