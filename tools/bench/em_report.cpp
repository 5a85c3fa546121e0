// The report of the EM benchmark, as JSON and as a table.
#include "bench/em_report.h"

#include <fmt/format.h>

#include <map>

#include "timing/clock.h"
#include "timing/text_table.h"

namespace pqw::bench {
namespace {

using Json = nlohmann::ordered_json;

double median_of(const std::vector<Run>& runs, double Run::*field) {
  std::vector<double> values;
  for (const Run& run : runs) values.push_back(run.*field);
  return timing::median(std::move(values));
}

const char* to_string(Outcome outcome) {
  constexpr const char* kNames[] = {"done", "timed out", "not installed", "failed", "wrong"};
  return kNames[static_cast<std::size_t>(outcome)];
}

// The run that says how it went: one that failed, if any did.
const Run& telling_run(const Row& row) {
  for (const Run& run : row.runs) {
    if (run.outcome != Outcome::kDone) return run;
  }
  return row.runs.front();
}

bool has_times(const Run& run) {
  return run.outcome == Outcome::kDone || run.outcome == Outcome::kTimedOut;
}

bool has_answer(const Run& run) { return run.outcome == Outcome::kDone && !run.extrapolated; }

Json row_to_json(const Row& row, double squared_norm) {
  const Run& run = telling_run(row);
  Json json = {{"name", row.contender},
               {"outcome", to_string(run.outcome)},
               {"runs", row.runs.size()},
               {"extrapolated", run.extrapolated}};
  if (has_times(run)) {
    json["cpu_s"] = median_of(row.runs, &Run::cpu_s);
    json["wall_s"] = median_of(row.runs, &Run::wall_s);
    json["process_cpu_s"] = median_of(row.runs, &Run::process_cpu_s);
  }
  if (has_answer(run)) {
    json["objective"] = median_of(row.runs, &Run::objective);
    if (squared_norm > 0) json["relative_error"] = json["objective"].get<double>() / squared_norm;
  }
  json["note"] = run.note;
  return json;
}

// Adds <name>_ratio: this row's value over that of `pqw`, the first row, where both have it.
void add_ratios(Json& rows) {
  if (rows.empty() || rows[0]["name"] != "pqw" || rows[0]["outcome"] != "done") return;
  const Json first = rows[0];
  for (Json& row : rows) {
    for (const auto& [key, ratio] : {std::pair{"cpu_s", "cpu_ratio"},
                                     {"wall_s", "wall_ratio"},
                                     {"objective", "objective_ratio"}}) {
      if (!row.contains(key) || !first.contains(key) || first[key] == 0.0) continue;
      row[ratio] = row[key].get<double>() / first[key].get<double>();
    }
  }
}

// A cell: the number, or a dash where there is none.
std::string cell(const Json& row, const char* key, const char* format, const char* mark = "") {
  if (!row.contains(key)) return "-";
  return mark + fmt::format(fmt::runtime(format), row[key].get<double>());
}

std::string table_of(const Json& contenders) {
  std::vector<std::vector<std::string>> rows;
  for (const Json& row : contenders) {
    const bool stopped = row.value("outcome", "done") == "timed out";
    const char* mark = stopped ? ">" : row.value("extrapolated", false) ? "~" : "";
    rows.push_back({row["name"], fmt::format("{}", row["runs"].get<std::size_t>()),
                    cell(row, "cpu_s", "{:.3f}", mark), cell(row, "wall_s", "{:.3f}", mark),
                    cell(row, "cpu_ratio", "{:.2f}", mark), cell(row, "wall_ratio", "{:.2f}", mark),
                    cell(row, "objective", "{:.7g}"), cell(row, "objective_ratio", "{:.5f}"),
                    cell(row, "relative_error", "{:.6f}"),
                    (row["outcome"] == "wrong" ? "WRONG: " : "") + row["note"].get<std::string>()});
  }
  return timing::text_table({{"contender", true},
                             {"runs"},
                             {"CPU s"},
                             {"wall s"},
                             {"CPU/pqw"},
                             {"wall/pqw"},
                             {"objective"},
                             {"obj/pqw"},
                             {"rel.error"},
                             {"note", true}},
                            rows);
}

}  // namespace

Json to_json(const CaseResult& result) {
  Json rows = Json::array();
  for (const Row& row : result.rows) rows.push_back(row_to_json(row, result.squared_norm));
  add_ratios(rows);
  Json json = {{"case", result.name},
               {"blocks", result.n_blocks},
               {"block_size", result.block_size},
               {"centroids", result.n_centroids}};
  if (!result.e_step.is_null()) json["e_step"] = result.e_step;
  json["contenders"] = std::move(rows);
  return json;
}

std::string to_table(const Json& result) {
  std::string text =
      fmt::format("{}: {} blocks of {}, K = {}\n", result["case"].get<std::string>(),
                  result["blocks"].get<std::size_t>(), result["block_size"].get<std::size_t>(),
                  result["centroids"].get<std::size_t>());
  text += table_of(result["contenders"]);
  if (result.contains("e_step")) {
    const Json& e_step = result["e_step"];
    text += fmt::format(
        "E-step, one thread: {:.1f} GMAC/s, {:.0f} % of the {:.1f} of {}; M-step: {:.0f} % of an "
        "iteration\n",
        e_step["gmac_per_s"].get<double>(), 100 * e_step["fraction"].get<double>(),
        e_step["peak_gmac_per_s"].get<double>(), e_step["peak_instructions"].get<std::string>(),
        100 * e_step["m_step_share"].get<double>());
  }
  return text;
}

Json pooled(const std::vector<CaseResult>& results) {
  Json rows = Json::array();
  if (results.empty()) return rows;
  double squared_norm = 0;
  for (const CaseResult& result : results) squared_norm += result.squared_norm;
  for (std::size_t i = 0; i < results[0].rows.size(); ++i) {
    Json row = {{"name", results[0].rows[i].contender},
                {"outcome", "done"},
                {"runs", results[0].rows[i].runs.size()}};
    bool all_done = true;
    bool all_answers = true;
    std::map<std::string, double> sums;
    for (const CaseResult& result : results) {
      const Row& part = result.rows[i];
      all_done &= telling_run(part).outcome == Outcome::kDone;
      all_answers &= has_answer(telling_run(part));
      sums["cpu_s"] += median_of(part.runs, &Run::cpu_s);
      sums["wall_s"] += median_of(part.runs, &Run::wall_s);
      sums["objective"] += median_of(part.runs, &Run::objective);
    }
    if (!all_done) continue;
    row["extrapolated"] = !all_answers;
    row["cpu_s"] = sums["cpu_s"];
    row["wall_s"] = sums["wall_s"];
    if (all_answers) {
      row["objective"] = sums["objective"];
      if (squared_norm > 0) row["relative_error"] = sums["objective"] / squared_norm;
    }
    row["note"] = "";
    rows.push_back(std::move(row));
  }
  add_ratios(rows);
  return rows;
}

std::string pooled_table(const Json& rows) { return "all layers\n" + table_of(rows); }

}  // namespace pqw::bench
