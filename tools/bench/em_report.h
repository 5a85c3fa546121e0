// The report of the EM benchmark, as JSON and as a table.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "bench/em_contenders.h"

namespace pqw::bench {

// The runs of one contender on one case, in the order of the rounds.
struct Row {
  std::string contender;
  std::vector<Run> runs;
};

struct CaseResult {
  std::string name;
  std::size_t n_blocks = 0;
  std::size_t block_size = 0;
  std::size_t n_centroids = 0;
  double squared_norm = 0;  // Σ‖x‖²
  std::vector<Row> rows = {};
  nlohmann::json e_step = {};
};

// Medians and their ratios to those of `pqw`, as an object:
// {"case", "blocks", "block_size", "centroids", "e_step", "contenders": [{"name", "outcome",
// "runs", "cpu_s", "wall_s", "objective", "relative_error", "cpu_ratio", "wall_ratio",
// "objective_ratio", "note", ...}]}. What was not measured is left out; the times of a contender
// that was stopped, and their ratios, are lower bounds.
nlohmann::ordered_json to_json(const CaseResult& result);

// The table of an object made by to_json.
std::string to_table(const nlohmann::ordered_json& result);

// The contenders' summed objectives over Σ‖x‖² and their summed times, for those that finished all
// of these cases: [{"name", "relative_error", "cpu_s", "wall_s", ratios}].
nlohmann::ordered_json pooled(const std::vector<CaseResult>& results);
std::string pooled_table(const nlohmann::ordered_json& rows);

}  // namespace pqw::bench
