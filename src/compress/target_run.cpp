// Runs for a target: a search, and further searches until what was made fits the target.
#include "compress/target_run.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "compress/archive_size.h"
#include "compress/correction.h"
#include "core/subject.h"

namespace pqw {
namespace {

// The outcome of the search for the target; empty without a target.
std::optional<SearchResult> search_target(const std::optional<Target>& target,
                                          const std::string& path, CompressObserver* observer,
                                          Input& input, Probes* probes = nullptr) {
  if (!target) return std::nullopt;
  return search({*input.reader, *target, input.archive_options, path, observer, probes},
                input.plan);
}

// The share of a target size that a search aims at first, as it estimates what entropy coding saves.
constexpr double kSizeMargin = 0.998;

Target aimed(Target target, double share) {
  target.value = target.kind == TargetKind::kRatio ? target.value / share : target.value * share;
  return target;
}

bool has_same_settings(const std::vector<WorkItem>& a, const std::vector<WorkItem>& b) {
  return std::ranges::equal(a, b, {}, &WorkItem::settings, &WorkItem::settings);
}

// run_for_target, step by step.
class TargetRun {
 public:
  TargetRun(const Recipe& recipe, const std::string& path, CompressObserver* observer, Input& input,
            std::function<void(Report&)> walk)
      : target_(recipe.target),
        path_(path),
        observer_(observer),
        input_(input),
        plan_(input.plan),
        walk_(std::move(walk)) {}

  void run(Report& report) {
    if (!target_) {
      walk_(report);
      return;
    }
    const bool by_size = target_->kind != TargetKind::kError;
    const auto best =
        by_size ? best_size(report)
                : best_attempt(target_->value, [&](double aim) { return attempt(aim, report); });
    if (!best) {
      if (by_size) refuse_size(report);
      report.search->note =
          "above the target: no choice that was tried is exact enough; ask for a smaller error";
    } else if (!has_same_settings(made_[*best].plan, input_.plan)) {
      input_.plan = made_[*best].plan;
      walk_(report);
    }
    if (best) report.search = made_[*best].outcome;
    report.search->n_points = n_points_;
  }

 private:
  struct Made {
    std::vector<WorkItem> plan;
    SearchOutcome outcome;
    std::uint64_t file_bytes;
  };

  // The attempt with the largest file that is at most the target. What entropy coding saves is known
  // only then: the next aim corrects the estimate by the last file. Empty if all files are larger.
  std::optional<std::size_t> best_size(Report& report) {
    constexpr double kNear = 0.998;
    constexpr std::size_t kMost = 3, kMostAbove = 7;
    const auto target = static_cast<double>(bytes_of_target());
    std::optional<std::size_t> best;
    double aim = kSizeMargin;  // as a share of the target
    for (std::size_t i = 0; i < (best ? kMost : kMostAbove); ++i) {
      if (!attempt(aimed(*target_, aim).value, report)) {
        if (!made_.empty()) break;
        aim = 1;  // throws if the target is too small
        continue;
      }
      Made& made = made_.back();
      made.outcome.target_bytes = bytes_of_target();
      const auto bytes = static_cast<double>(made.file_bytes);
      const auto estimated = static_cast<double>(made.outcome.estimated_bytes);
      const bool is_met = bytes <= target;
      if (is_met && (!best || made.file_bytes > made_[*best].file_bytes)) best = made_.size() - 1;
      // Near enough, or no choice is nearer.
      if (is_met && (bytes >= kNear * target || estimated < kNear * aim * target)) break;
      aim = std::min(kSizeMargin * estimated / bytes, is_met ? 2.0 : aim * kSizeMargin);
    }
    if (best) note_on_room(made_[*best]);
    return best;
  }

  void note_on_room(Made& made) const {
    constexpr double kFar = 0.985;
    const double share =
        static_cast<double>(made.file_bytes) / static_cast<double>(bytes_of_target());
    if (share >= kFar || !made.outcome.note.empty()) return;
    made.outcome.note = "the searches found no choice that is nearer to the target";
  }

  std::uint64_t bytes_of_target() const {
    return target_bytes({*input_.reader, *target_, input_.archive_options, path_}, plan_);
  }

  [[noreturn]] void refuse_size(const Report& report) const {
    throw Subject{path_}.error(
        ErrorCode::kInvalidArgument,
        "the target is {} bytes; the smallest archive that was made of it has {} bytes: ask for "
        "--target-size {} or more, or let fewer rules and patterns keep tensors",
        bytes_of_target(), report.file_bytes, report.file_bytes);
  }

  // Returns the measured error; empty if no choice reaches the aim. Throws if the aim is the target
  // and no choice was made before.
  std::optional<double> attempt(double aim, Report& report) {
    const std::vector<WorkItem> before = std::exchange(input_.plan, plan_);
    Target target = *target_;
    target.value = aim;
    std::optional<SearchResult> found;
    try {
      found = search_target(target, path_, observer_, input_, &probes_);
    } catch (const Error& error) {
      const bool is_refused = made_.empty() && aim == target_->value;
      if (is_refused || error.code() != ErrorCode::kInvalidArgument) throw;
      input_.plan = before;
      return std::nullopt;
    }
    n_points_ += found->outcome.n_points;
    if (made_.empty() || !has_same_settings(before, input_.plan)) {
      walk_(report);
      report.search = found->outcome;
      if (target.kind == TargetKind::kError) report.search->target_error = target_->value;
      report.search->error = measured_error(target.metric, found->shares, report.tensors);
      add_made(*input_.reader, input_.plan, report, probes_);
    }
    made_.push_back({input_.plan, found->outcome, report.file_bytes});
    made_.back().outcome.target_error = report.search->target_error;
    made_.back().outcome.error = report.search->error;
    return report.search->error;
  }

  const std::optional<Target>& target_;
  const std::string& path_;
  CompressObserver* observer_;
  Input& input_;
  const std::vector<WorkItem> plan_;  // before a search
  std::function<void(Report&)> walk_;
  Probes probes_;
  std::size_t n_points_ = 0;  // of all searches
  std::vector<Made> made_;    // by each attempt
};

}  // namespace

void run_for_target(const Recipe& recipe, const std::string& path, CompressObserver* observer,
                    Input& input, std::function<void(Report&)> walk, Report& report) {
  TargetRun(recipe, path, observer, input, std::move(walk)).run(report);
}

std::optional<SearchResult> search_once(const std::optional<Target>& target,
                                        const std::string& path, CompressObserver* observer,
                                        Input& input) {
  if (!target || target->kind == TargetKind::kError) {
    return search_target(target, path, observer, input);
  }
  std::optional<SearchResult> found;
  try {
    found = search_target(aimed(*target, kSizeMargin), path, observer, input);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidArgument) throw;
    found = search_target(target, path, observer, input);
  }
  found->outcome.target_bytes =
      target_bytes({*input.reader, *target, input.archive_options, path}, input.plan);
  return found;
}

}  // namespace pqw
