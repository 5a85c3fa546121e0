// Reports as JSON.
#include "cli/report.h"

namespace pqw::tool {
namespace {

// The library writes infinity and NaN as null.
Json measured(const std::optional<Distortion>& distortion, double (Distortion::*measure)() const) {
  return distortion ? Json(((*distortion).*measure)()) : Json();
}

Json json_of(const std::optional<OutputError>& error) {
  return error ? Json(error->relative()) : Json();
}

Json json_of(const TensorReport& tensor) {
  const auto& distortion = tensor.distortion;
  Json json = {{"name", tensor.info.name},
               {"shape", tensor.info.shape},
               {"dtype", dtype_name(tensor.info)},
               {"codec", tensor.codec},
               {"bits_per_weight", tensor.bits_per_weight()},
               {"relative_error", measured(distortion, &Distortion::relative_error)},
               {"output_error", json_of(tensor.output_error)},
               {"amplitude", measured(distortion, &Distortion::amplitude)},
               {"sqnr_db", measured(distortion, &Distortion::sqnr_db)},
               {"max_abs_error", measured(distortion, &Distortion::max_abs_error)},
               {"cosine", measured(distortion, &Distortion::cosine)},
               {"original_bytes", tensor.original_bytes()},
               {"bytes", tensor.bytes},
               {"at_most", tensor.at_most},
               {"parameters", tensor.n_parameters}};
  const Layout& layout = tensor.info.layout;
  if (layout.kind != Kind::kUnknown) json["kind"] = to_string(layout.kind);
  if (!layout.axes.empty()) json["axes"] = layout.axes;
  if (!tensor.settings.empty()) json["settings"] = to_json(stored_settings(tensor.settings));
  if (!tensor.options.empty()) json["options"] = to_json(stored_settings(tensor.options));
  if (!tensor.note.empty()) json["note"] = tensor.note;
  return json;
}

Json json_of(const SearchOutcome& search) {
  const auto given = [](auto value) { return value > 0 ? Json(value) : Json(); };
  return {{"target_bytes", given(search.target_bytes)},
          {"target_error", given(search.target_error)},
          {"estimated_error", search.estimated_error},
          {"estimated_bytes", given(search.estimated_bytes)},
          {"error", search.error ? Json(*search.error) : Json()},
          {"slope", search.slope},
          {"points", search.n_points},
          {"note", search.note.empty() ? Json() : Json(search.note)}};
}

}  // namespace

void append(const Report& report, Json& document) {
  Json tensors = Json::array();
  for (const TensorReport& tensor : report.tensors) tensors.push_back(json_of(tensor));
  Json skipped = Json::array();
  for (const Skipped& item : report.skipped) {
    skipped.push_back({{"name", item.name}, {"what", item.what}});
  }
  const auto distortion = report.distortion();
  document["tensors"] = std::move(tensors);
  document["skipped"] = std::move(skipped);
  document["total"] = {{"original_bytes", report.original_bytes()},
                       {"file_bytes", report.file_bytes},
                       {"at_most", report.at_most()},
                       {"ratio", report.ratio()},
                       {"original_parameters", report.original_parameters()},
                       {"parameters", report.parameters()},
                       {"bits_per_weight", report.bits_per_weight()},
                       {"relative_error", measured(distortion, &Distortion::relative_error)},
                       {"output_error", json_of(report.output_error())},
                       {"amplitude", measured(distortion, &Distortion::amplitude)},
                       {"sqnr_db", measured(distortion, &Distortion::sqnr_db)},
                       {"seconds", report.seconds}};
  if (report.search) document["search"] = json_of(*report.search);
  if (!report.not_copied.empty()) document["not_copied"] = report.not_copied;
}

Json to_json(const Verdict& verdict, const std::string& command) {
  Json errors = Json::array();
  for (const ErrorShare& error : verdict.largest_errors) {
    errors.push_back({{"tensor", error.tensor}, {"share", error.share}});
  }
  const std::string warning = warning_of(verdict);
  return {{"mean_error", verdict.mean_error ? Json(*verdict.mean_error) : Json()},
          {"largest_errors", std::move(errors)},
          {"command_to_halve_the_error", command.empty() ? Json() : Json(command)},
          {"warning", warning.empty() ? Json() : Json(warning)}};
}

}  // namespace pqw::tool
