// Finds out how much the task of a network depends on each of its tensors.
#include "pqw/compress/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "archive/digest.h"
#include "compress/checkpoint.h"
#include "compress/harm_groups.h"
#include "compress/input.h"
#include "compress/loss_target.h"
#include "compress/mixed_model.h"
#include "compress/recipe_output.h"
#include "compress/sensitivity_runs.h"
#include "compress/walk.h"
#include "core/subject.h"
#include "io/different_files.h"
#include "pipeline/name_pattern.h"
#include "pqw/compress/compress.h"

namespace pqw {
namespace {

std::string text_of(const Settings& settings) {
  std::string text;
  for (const auto& [key, value] : settings) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

// Tensors with NaN or infinity stay as they are, unless the settings say otherwise.
Settings with_plain_if_not_finite(Settings settings) {
  constexpr const char* kKey = "non_finite";
  if (!has_key(settings, kKey)) settings.emplace_back(kKey, "plain");
  return settings;
}

// The model with all tensors compressed at an operating point.
struct CompressedAt {
  std::unique_ptr<DecodedTensors> decoded;
  std::map<std::string, TensorReport> reports;  // of the tensors that differ from the original
  std::uint64_t file_bytes = 0;
  std::string recipe;  // that makes the archive again
};

class Sensitivity {
 public:
  Sensitivity(const std::string& model, const Evaluator& evaluate,
              const SensitivityOptions& options)
      : model_(model), options_(options) {
    check();
    runs_ = std::make_unique<SensitivityRuns>(
        model_, evaluate, options_,
        options_.most_runs + (options_.max_loss ? kMostTrials : std::size_t{0}));
    // Refuses a model of which no copies can be made.
    (void)create_copy(model_, runs_->copy_path(0), {}, options_.reading, {.overwrite = true});
  }

  SensitivityReport run() {
    if (options_.observer != nullptr) options_.observer->on_start(digest());
    SensitivityReport report;
    report.score = runs_->evaluate({{"original", "the original"}}).front();
    for (const Settings& point : options_.points) {
      const std::string file = fmt::format("point{}.h5", points_.size() + 1);
      points_.push_back(compressed(with_plain_if_not_finite(point), {}, text_of(point), file));
    }
    find_units();
    expect_runs();
    const std::vector<double> all = measure({{0, units_.size()}}).front();
    for (std::size_t p = 0; p < points_.size(); ++p) {
      const double sign = options_.higher_is_better ? -1 : 1;
      report.points.push_back({name_of(p), report.score + sign * all[p], all[p]});
    }
    if (std::ranges::max(all) <= options_.noise) {
      report.note =
          "compressing all tensors does no more harm than the noise: all importances are 1; take "
          "an operating point of fewer bits to tell the tensors apart";
    }
    fill_in(all, report);
    finish(report);
    report.skipped = reader_->skipped();
    report.n_runs = runs_->n_runs();
    return report;
  }

 private:
  void check() {
    const std::size_t least = 1 + options_.points.size();
    if (options_.points.empty()) throw invalid_argument("no operating point was given");
    if (options_.most_runs < least) {
      throw invalid_argument(
          "at most {} runs: the original and each operating point need {} already",
          options_.most_runs, least);
    }
    for (const Settings& point : options_.points) check_recipe(recipe_of(point));
    reader_ = open_input(model_, recipe_of(options_.points.front()), options_.reading).reader;
    std::vector<std::string> files = reader_->files();
    files.push_back(model_);
    for (const std::string& output : options_.other_outputs) {
      require_different_files(files, output);
      require_different_outputs(options_.recipe, output);
    }
    if (options_.recipe.empty()) return;
    const Recipe recipe{.output = options_.recipe, .overwrite_output = options_.overwrite_recipe};
    recipe_output_.emplace(recipe, files, "");
  }

  Recipe recipe_of(Settings defaults) const {
    return {.defaults = std::move(defaults),
            .include = options_.include,
            .exclude = options_.exclude,
            .skip_unsupported = true};
  }

  std::string digest() const {
    PartKey key;
    for (const Settings& point : options_.points) {
      const Input input = open_input(model_, recipe_of(point), options_.reading);
      for (const WorkItem& item : input.plan) {
        std::vector<Source> sources = sources_of(*input.reader, item);
        key.add(item, sources);
      }
    }
    // Which tensors the patterns leave out is not in the settings of items.
    std::string text = key.finish();
    for (const Pattern& pattern : options_.include)
      text += fmt::format("\ninclude {}", pattern.text);
    for (const Pattern& pattern : options_.exclude)
      text += fmt::format("\nexclude {}", pattern.text);
    return archive::to_hex(archive::sha256(std::as_bytes(std::span(text))));
  }

  std::string name_of(std::size_t p) const { return text_of(options_.points[p]); }

  CompressedAt compressed(const Settings& defaults, const std::optional<Target>& target,
                          const std::string& what, const std::string& file,
                          const std::vector<Rule>& rules = {}) {
    if (options_.observer != nullptr) options_.observer->on_compress(what);
    Recipe recipe = recipe_of(defaults);
    recipe.target = target;
    recipe.rules = rules;
    const std::string archive = runs_->path_of(file);
    const Report made = compress(model_, archive, recipe,
                                 {.overwrite = true,
                                  .keep_after_seconds = std::numeric_limits<double>::infinity(),
                                  .reading = options_.reading});
    CompressedAt result{std::make_unique<DecodedTensors>(archive, *reader_),
                        {},
                        made.file_bytes,
                        recipe_text(made)};
    for (const TensorReport& tensor : made.tensors) {
      const bool differs = tensor.compressed() && tensor.distortion &&
                           tensor.distortion->squared_error() > 0 &&
                           std::isfinite(tensor.distortion->relative_error());
      if (differs) result.reports.emplace(tensor.info.name, tensor);
    }
    return result;
  }

  const TensorReport* report_of(const CompressedAt& point, std::size_t tensor) const {
    const auto found = point.reports.find(reader_->tensors()[tensor].name);
    return found == point.reports.end() || !point.decoded->has(tensor) ? nullptr : &found->second;
  }

  // The tensor whose values that one has too, in the file or in an archive.
  std::size_t owner_of(std::size_t tensor) const {
    std::size_t owner = std::min(tensor, reader_->stored_as(tensor));
    for (const CompressedAt& point : points_) {
      owner = std::min(owner, point.decoded->stored_as(tensor));
    }
    return owner == tensor ? owner : owner_of(owner);
  }

  void find_units() {
    std::map<std::size_t, std::vector<std::size_t>> members;  // by owner
    for (std::size_t i = 0; i < reader_->tensors().size(); ++i) {
      const bool counts = std::ranges::any_of(
          points_, [&](const CompressedAt& point) { return report_of(point, i) != nullptr; });
      if (counts) members[owner_of(i)].push_back(i);
    }
    if (members.empty()) {
      throw Subject{model_}.error(
          ErrorCode::kInvalidArgument,
          "no operating point compresses any tensor; name others, or let fewer patterns keep "
          "tensors");
    }
    for (auto& [owner, tensors] : members) {
      HarmUnit unit;
      unit.n_weights = element_count(reader_->tensors()[tensors.front()].shape);
      for (const CompressedAt& point : points_) {
        const TensorReport* const report = report_of(point, tensors.front());
        unit.squared_errors.push_back(report ? report->distortion->squared_error() : 0);
        unit.relative_errors.push_back(report ? report->distortion->relative_error() : 0);
      }
      units_.push_back(std::move(unit));
      members_.push_back(std::move(tensors));
    }
  }

  // If each unit is measured alone, fewer runs than most_runs may follow.
  void expect_runs() {
    std::size_t n = points_.size() + (options_.max_loss ? kMostTrials : 0);
    for (std::size_t u = 0; u < units_.size() && units_.size() > 1; ++u) {
      n += runs_of(units_, {u, u + 1});
    }
    runs_->expect_at_most(n);
  }

  // The tensors of a range that differ from the original at a point; indices that rise.
  std::vector<std::size_t> tensors_of(const UnitRange& range, std::size_t p) const {
    std::vector<std::size_t> tensors;
    for (std::size_t u = range.begin; u < range.end; ++u) {
      if (units_[u].squared_errors[p] == 0) continue;
      tensors.insert(tensors.end(), members_[u].begin(), members_[u].end());
    }
    std::ranges::sort(tensors);
    return tensors;
  }

  std::string description(const std::vector<std::size_t>& tensors) const {
    const auto name = [&](std::size_t i) { return shown(reader_->tensors()[i].name); };
    if (tensors.size() == 1) return fmt::format("tensor '{}'", name(tensors.front()));
    return fmt::format("{} tensors, '{}' to '{}'", tensors.size(), name(tensors.front()),
                       name(tensors.back()));
  }

  RunRequest request(std::string key, std::string what, const CompressedAt& point,
                     std::vector<std::size_t> tensors) const {
    return {std::move(key), std::move(what),
            [this, &point, tensors = std::move(tensors)](const std::string& path) {
              write_mixed_model(model_, *reader_, *point.decoded, tensors, path, options_.reading);
            }};
  }

  std::vector<std::vector<double>> measure(const std::vector<UnitRange>& ranges) {
    std::vector<RunRequest> requests;
    std::vector<std::vector<double>> harms(ranges.size(), std::vector<double>(points_.size()));
    std::vector<double*> places;
    for (std::size_t r = 0; r < ranges.size(); ++r) {
      for (std::size_t p = 0; p < points_.size(); ++p) {
        std::vector<std::size_t> tensors = tensors_of(ranges[r], p);
        if (tensors.empty()) continue;  // equal to the original
        std::string key = fmt::format("{} {}-{}", name_of(p), ranges[r].begin, ranges[r].end);
        std::string what = fmt::format("{}: {}", name_of(p), description(tensors));
        requests.push_back(
            request(std::move(key), std::move(what), points_[p], std::move(tensors)));
        places.push_back(&harms[r][p]);
      }
    }
    const std::vector<double> scores = runs_->evaluate(requests);
    for (std::size_t i = 0; i < scores.size(); ++i) *places[i] = runs_->harm_of(scores[i]);
    return harms;
  }

  void fill_in(const std::vector<double>& all, SensitivityReport& report) {
    const std::size_t used = runs_->n_runs();
    const std::vector<HarmGroup> groups =
        measure_groups(units_, all,
                       {.most_runs = options_.most_runs - std::min(used, options_.most_runs),
                        .noise = options_.noise},
                       [&](const std::vector<UnitRange>& ranges) { return measure(ranges); });
    const std::vector<std::vector<double>> harms = shared_harms(units_, groups);
    const std::vector<double> importances = importances_of(units_, harms);
    std::map<std::size_t, TensorSensitivity> tensors;  // by index
    for (const HarmGroup& group : groups) {
      const UnitRange& range = group.units;
      std::size_t n_tensors = 0;
      for (std::size_t u = range.begin; u < range.end; ++u) n_tensors += members_[u].size();
      for (std::size_t u = range.begin; u < range.end; ++u) {
        // Tensors with the same values share what their unit has.
        const auto n = static_cast<double>(members_[u].size());
        for (const std::size_t i : members_[u]) {
          TensorSensitivity tensor{reader_->tensors()[i], {}, 0, importances[u] / n, n_tensors};
          for (std::size_t p = 0; p < points_.size(); ++p) {
            tensor.points.push_back({units_[u].relative_errors[p], harms[u][p] / n});
            tensor.harm += harms[u][p] / n / static_cast<double>(points_.size());
          }
          tensors.emplace(i, std::move(tensor));
        }
      }
    }
    for (auto& [index, tensor] : tensors) report.tensors.push_back(std::move(tensor));
  }

  static std::vector<Rule> rules_of(const SensitivityReport& report) {
    std::vector<Rule> rules;
    for (const TensorSensitivity& tensor : report.tensors) {
      rules.push_back({fmt::format("^{}$", escaped_pattern(tensor.info.name)),
                       {{"importance", fmt::format("{:.4g}", tensor.importance)}}});
    }
    return rules;
  }

  void finish(SensitivityReport& report) {
    Recipe recipe = recipe_of({});
    recipe.rules = rules_of(report);
    report.recipe = recipe_text(recipe);
    if (options_.max_loss) {
      LossTrial found = search_loss(recipe.rules, report.recipe);
      report.target = found.target;
      report.recipe = std::move(found.recipe);
    }
    if (recipe_output_) recipe_output_->commit(report.recipe);
  }

  LossTrial search_loss(const std::vector<Rule>& rules, const std::string& importances) {
    std::uint64_t n_bytes = 0, n_weights = 0;
    for (const TensorInfo& info : reader_->tensors()) {
      n_bytes += byte_count(info);
      n_weights += element_count(info.shape);
    }
    constexpr double kLeastRatio = 1.5, kLeastBits = 0.8;
    const double bits = 8 * static_cast<double>(n_bytes) / static_cast<double>(n_weights);
    return smallest_within(*options_.max_loss, kLeastRatio,
                           std::max(2 * kLeastRatio, bits / kLeastBits), model_,
                           [&](double ratio) { return try_ratio(ratio, rules, importances); });
  }

  std::optional<LossTrial> try_ratio(double ratio, const std::vector<Rule>& rules,
                                     const std::string& importances) {
    const std::string what = fmt::format("ratio {:.4g}", ratio);
    CompressedAt made;
    try {
      made = compressed(with_plain_if_not_finite({}), Target{TargetKind::kRatio, ratio}, what,
                        "target.h5", rules);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      return std::nullopt;  // no archive is so small
    }
    std::vector<std::size_t> tensors;
    for (std::size_t i = 0; i < reader_->tensors().size(); ++i) {
      if (report_of(made, i) != nullptr) tensors.push_back(i);
    }
    const auto bytes = std::as_bytes(std::span(importances));
    const std::string key = fmt::format("{} {:.16}", what, archive::to_hex(archive::sha256(bytes)));
    const double score = runs_->evaluate({request(key, what, made, tensors)}).front();
    return LossTrial{{ratio, made.file_bytes, score, runs_->harm_of(score)}, made.recipe};
  }

  const std::string& model_;
  const SensitivityOptions& options_;
  std::unique_ptr<WeightReader> reader_;
  std::optional<RecipeOutput> recipe_output_;
  std::unique_ptr<SensitivityRuns> runs_;
  std::vector<CompressedAt> points_;
  std::vector<HarmUnit> units_;
  std::vector<std::vector<std::size_t>> members_;  // tensors of each unit
};

}  // namespace

SensitivityReport measure_sensitivity(const std::string& model, const Evaluator& evaluate,
                                      const SensitivityOptions& options) {
  return Sensitivity(model, evaluate, options).run();
}

}  // namespace pqw
