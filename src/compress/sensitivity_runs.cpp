// Evaluates copies of a model, several side by side.
#include "compress/sensitivity_runs.h"

#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <system_error>

#include "core/subject.h"

namespace pqw {
namespace {

// Of the temporary folder, without its suffix: beside the recipe, else in TMPDIR.
std::string folder_beside(const std::string& recipe) {
  if (!recipe.empty()) return recipe + ".sensitivity";
  const char* const folder = std::getenv("TMPDIR");
  return fmt::format("{}/pqw-sensitivity-{}",
                     folder == nullptr || *folder == '\0' ? "/tmp" : folder, ::getpid());
}

bool any_file(std::string_view) { return true; }

}  // namespace

SensitivityRuns::SensitivityRuns(const std::string& model, const WeightReader& originals,
                                 const Evaluator& evaluate, const SensitivityOptions& options,
                                 std::size_t most_runs)
    : model_(model),
      evaluate_(evaluate),
      options_(options),
      most_runs_(most_runs),
      folder_(folder_beside(options.recipe), {}, any_file) {
  if (!evaluate) return;
  for (std::size_t i = 0; i < std::max<std::size_t>(1, options.jobs); ++i) {
    copies_.emplace_back(model, originals, folder_, fmt::format("run{}", i + 1), options.reading);
  }
}

// Runs wait for what they evaluate, so there may be more of them than processors. Each thread but the
// calling one computes alone.
std::vector<double> SensitivityRuns::evaluate(const std::vector<RunRequest>& requests) {
  std::vector<double> scores(requests.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&](std::size_t worker) {
    if (worker > 0) omp_set_num_threads(1);
    try {
      for (std::size_t i; (i = next++) < requests.size();) {
        scores[i] = evaluate_one(requests[i], worker);
      }
    } catch (...) {
      next = requests.size();  // no run is begun after an error
      throw;
    }
  };
  std::vector<std::future<void>> others;
  for (std::size_t w = 1; w < std::min(copies_.size(), requests.size()); ++w) {
    try {
      others.push_back(std::async(std::launch::async, work, w));
    } catch (const std::system_error&) {
      break;  // no more threads can be made; the others do the work
    }
  }
  work(0);
  for (std::future<void>& other : others) other.get();
  return scores;
}

double SensitivityRuns::evaluate_one(const RunRequest& request, std::size_t worker) {
  if (const auto score = known(request)) {
    finish(request, *score, true);
    return *score;
  }
  double score = 0;
  if (request.values) {
    copies_[worker].write(request.tensors, request.values);
    score = evaluate_(copies_[worker].path());
    copies_[worker].remove();
  } else {
    score = evaluate_(std::filesystem::absolute(model_));
  }
  constexpr double kMost = 1e100;  // losses and their ratios stay finite
  if (!(std::abs(score) <= kMost)) {
    throw Subject{model_}.error(ErrorCode::kInvalidArgument,
                                "{}: the score is {}; expected a number from -1e100 to 1e100",
                                request.what, score);
  }
  finish(request, score, false);
  return score;
}

std::optional<double> SensitivityRuns::known(const RunRequest& request) {
  if (options_.observer == nullptr) return std::nullopt;
  const std::lock_guard lock(mutex_);
  return options_.observer->known_score(request.key);
}

void SensitivityRuns::finish(const RunRequest& request, double score, bool is_known) {
  const std::lock_guard lock(mutex_);
  if (!original_) original_ = score;
  ++n_runs_;
  if (options_.observer == nullptr) return;
  options_.observer->on_run(request.key,
                            {request.what, score, harm_of(score), is_known, n_runs_, most_runs_});
}

}  // namespace pqw
