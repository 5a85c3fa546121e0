// Reports as JSON.
#include "cli/report_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pqw/codecs/settings.h"

namespace pqw::tool {
namespace {

using Json = nlohmann::ordered_json;

// The library writes infinity and NaN as null.
Json measured(const std::optional<Distortion>& distortion, double (Distortion::*measure)() const) {
  return distortion ? Json(((*distortion).*measure)()) : Json();
}

// "a=1,b.c=x" as {"a": 1, "b": {"c": "x"}}.
Json settings_of(const std::string& text) {
  Json json = Json::object();
  for (const auto& [key, value] : parse_settings(text)) {
    std::string pointer = "/" + key;
    std::replace(pointer.begin(), pointer.end(), '.', '/');
    const Json number = Json::parse(value, nullptr, false);
    json[Json::json_pointer(pointer)] = number.is_number() ? number : Json(value);
  }
  return json;
}

Json to_json(const TensorReport& tensor) {
  const auto& distortion = tensor.distortion;
  Json json = {{"name", tensor.info.name},
               {"shape", tensor.info.shape},
               {"dtype", dtype_name(tensor.info)},
               {"codec", tensor.codec},
               {"bits_per_weight", tensor.bits_per_weight()},
               {"relative_error", measured(distortion, &Distortion::relative_error)},
               {"amplitude", measured(distortion, &Distortion::amplitude)},
               {"sqnr_db", measured(distortion, &Distortion::sqnr_db)},
               {"max_abs_error", measured(distortion, &Distortion::max_abs_error)},
               {"cosine", measured(distortion, &Distortion::cosine)},
               {"original_bytes", tensor.original_bytes()},
               {"bytes", tensor.bytes},
               {"parameters", tensor.n_parameters}};
  if (!tensor.settings.empty()) json["settings"] = settings_of(tensor.settings);
  if (!tensor.note.empty()) json["note"] = tensor.note;
  return json;
}

}  // namespace

std::string to_json(const Report& report) {
  Json tensors = Json::array();
  for (const TensorReport& tensor : report.tensors) tensors.push_back(to_json(tensor));
  Json skipped = Json::array();
  for (const Skipped& item : report.skipped) {
    skipped.push_back({{"name", item.name}, {"what", item.what}});
  }
  const auto distortion = report.distortion();
  const Json json = {{"tensors", std::move(tensors)},
                     {"skipped", std::move(skipped)},
                     {"total",
                      {{"original_bytes", report.original_bytes()},
                       {"file_bytes", report.file_bytes},
                       {"ratio", report.ratio()},
                       {"original_parameters", report.original_parameters()},
                       {"parameters", report.parameters()},
                       {"bits_per_weight", report.bits_per_weight()},
                       {"relative_error", measured(distortion, &Distortion::relative_error)},
                       {"amplitude", measured(distortion, &Distortion::amplitude)},
                       {"sqnr_db", measured(distortion, &Distortion::sqnr_db)},
                       {"seconds", report.seconds}}}};
  // Names are bytes; what is not UTF-8 is replaced rather than refused.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace pqw::tool
