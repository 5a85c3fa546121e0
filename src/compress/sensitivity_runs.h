// Evaluates copies of a model, several side by side, and counts the runs.
#pragma once

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "compress/model_copy.h"
#include "io/output_folder.h"
#include "pqw/compress/sensitivity.h"

namespace pqw {

// A copy of the model to evaluate.
struct RunRequest {
  std::string key;                        // of its score
  std::string what;                       // for people
  std::vector<std::size_t> tensors = {};  // that have new values; indices that rise
  NewValues values = {};                  // empty: the model itself
};

class SensitivityRuns {
 public:
  // Makes the temporary folder. Without an evaluator there are no runs. Errors: those of OutputFolder
  // and ModelCopy. REQUIRES: all arguments outlive it.
  SensitivityRuns(const std::string& model, const WeightReader& originals,
                  const Evaluator& evaluate, const SensitivityOptions& options,
                  std::size_t most_runs);

  // The path of a file in the temporary folder.
  std::string path_of(const std::string& name) { return folder_.path_of(name); }

  // Scores in the order of the requests; known ones are not evaluated. The first request of all is the
  // original, alone. Errors: those of the evaluator and of ModelCopy::write; kInvalidArgument (a score that
  // is not finite).
  std::vector<double> evaluate(const std::vector<RunRequest>& requests);

  double original() const { return original_.value(); }
  double harm_of(double score) const {
    return options_.higher_is_better ? original() - score : score - original();
  }
  std::size_t n_runs() const { return n_runs_; }
  // No more runs than that will follow the ones that are done.
  void expect_at_most(std::size_t n) { most_runs_ = std::min(most_runs_, n_runs_ + n); }

 private:
  double evaluate_one(const RunRequest& request, std::size_t worker);
  std::optional<double> known(const RunRequest& request);
  void finish(const RunRequest& request, double score, bool is_known);

  const std::string& model_;
  const Evaluator& evaluate_;
  const SensitivityOptions& options_;
  std::size_t most_runs_;
  OutputFolder folder_;
  std::vector<ModelCopy> copies_;  // by worker
  std::mutex mutex_;               // of all below, and of the observer
  std::optional<double> original_;
  std::size_t n_runs_ = 0;
};

}  // namespace pqw
