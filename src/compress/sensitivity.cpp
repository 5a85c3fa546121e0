// Finds out how much the task of a network depends on each of its tensors.
#include "pqw/compress/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "archive/digest.h"
#include "compress/checkpoint.h"
#include "compress/harm_groups.h"
#include "compress/input.h"
#include "compress/loss_target.h"
#include "compress/recipe_output.h"
#include "compress/sensitivity_result.h"
#include "compress/sensitivity_runs.h"
#include "compress/tensor_settings.h"
#include "compress/tensor_units.h"
#include "compress/walk.h"
#include "core/subject.h"
#include "io/different_files.h"

namespace pqw {
namespace {

// Tensors with NaN or infinity stay as they are, unless the settings say otherwise.
Settings with_plain_if_not_finite(Settings settings) {
  constexpr const char* kKey = "non_finite";
  if (!has_key(settings, kKey)) settings.emplace_back(kKey, "plain");
  return settings;
}

class Sensitivity {
 public:
  Sensitivity(const std::string& model, const Evaluator& evaluate,
              const SensitivityOptions& options)
      : model_(model), options_(options), has_evaluator_(static_cast<bool>(evaluate)) {
    check();
    runs_ = std::make_unique<SensitivityRuns>(
        model_, *reader_, evaluate, options_,
        options_.most_runs + (options_.max_loss ? kMostTrials : std::size_t{0}));
  }

  SensitivityReport run() {
    SensitivityReport report;
    if (has_evaluator_) {
      if (options_.observer != nullptr) options_.observer->on_start(digest());
      report.score = runs_->evaluate({{"original", "the original"}}).front();
    }
    compress_at_points();
    has_evaluator_ ? measure_scores(report) : measure_outputs(report);
    finish(report);
    return report;
  }

 private:
  void check() {
    const std::size_t least = 1 + options_.points.size();
    if (options_.points.empty()) throw invalid_argument("no operating point was given");
    if (!has_evaluator_ && options_.calibration.empty()) {
      throw invalid_argument("neither an evaluator nor statistics of inputs were given");
    }
    if (has_evaluator_ && options_.most_runs < least) {
      throw invalid_argument(
          "at most {} runs: the original and each operating point need {} already",
          options_.most_runs, least);
    }
    for (const Settings& point : options_.points) check_recipe(recipe_of(point));
    reader_ = open_input(model_, recipe_of(options_.points.front()), options_.reading).reader;
    std::vector<std::string> files = reader_->files();
    files.push_back(model_);
    if (!options_.calibration.empty()) files.push_back(options_.calibration);
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
            .skip_unsupported = true,
            .calibration = options_.calibration};
  }

  std::string digest() const {
    PartKey key;
    for (const Settings& point : options_.points) {
      const Input input = open_input(model_, recipe_of(point), options_.reading);
      for (const WorkItem& item : input.plan) {
        std::vector<Source> sources = sources_of(*input.reader, item);
        key.add(item, sources);
        for (const Source& source : sources) {
          if (input.statistics == nullptr) break;
          if (const auto inputs = input.statistics->inputs_of(source.info())) key.add(*inputs);
        }
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

  std::string name_of(std::size_t p) const { return to_string(options_.points[p]); }

  CompressedModel compressed(const Recipe& recipe, const std::string& what,
                             const std::string& file) {
    if (options_.observer != nullptr) options_.observer->on_compress(what);
    return {model_, *reader_, recipe, runs_->path_of(file), options_.reading};
  }

  void compress_at_points() {
    for (std::size_t p = 0; p < options_.points.size(); ++p) {
      Recipe recipe = recipe_of(with_plain_if_not_finite(options_.points[p]));
      PointModel point{compressed(recipe, name_of(p), fmt::format("point{}.h5", p + 1))};
      if (!options_.calibration.empty()) {
        recipe.calibration.clear();
        std::erase_if(recipe.defaults, [](const auto& setting) {
          return setting.first == "correct_bias" || setting.first == "bias";  // need statistics
        });
        point.without_statistics = std::make_unique<CompressedModel>(compressed(
            recipe, name_of(p) + ", without statistics", fmt::format("plain{}.h5", p + 1)));
      }
      points_.push_back(std::move(point));
    }
    units_ = find_units(*reader_, points_);
    if (!units_.units.empty()) return;
    throw Subject{model_}.error(
        ErrorCode::kInvalidArgument,
        "no operating point compresses any tensor; name others, or let fewer patterns keep "
        "tensors");
  }

  void measure_scores(SensitivityReport& report) {
    expect_runs();
    const std::vector<double> all = measure({{0, units_.units.size()}}).front();
    for (std::size_t p = 0; p < points_.size(); ++p) {
      const double sign = options_.higher_is_better ? -1 : 1;
      report.points.push_back({name_of(p), *report.score + sign * all[p], all[p]});
    }
    if (std::ranges::max(all) <= options_.noise) {
      report.note =
          "compressing all tensors does no more harm than the noise: all importances are 1; take "
          "an operating point of fewer bits to tell the tensors apart";
    }
    const std::size_t used = std::min(runs_->n_runs(), options_.most_runs);
    const std::vector<HarmGroup> groups = measure_groups(
        units_.units, all, {.most_runs = options_.most_runs - used, .noise = options_.noise},
        [&](const std::vector<UnitRange>& ranges) { return measure(ranges); });
    report.tensors = sensitivities(*reader_, units_, shared_harms(units_.units, groups), groups);
  }

  void measure_outputs(SensitivityReport& report) {
    const std::vector<std::vector<double>> harms = output_harms(units_, points_);
    for (std::size_t p = 0; p < points_.size(); ++p) {
      double sum = 0;
      for (const std::vector<double>& harm : harms) sum += harm[p];
      report.points.push_back({name_of(p), {}, sum / static_cast<double>(harms.size())});
    }
    report.tensors = sensitivities(*reader_, units_, harms, {});
    std::size_t i = 0;
    for (TensorSensitivity& tensor : report.tensors) {
      while (reader_->tensors()[i].name != tensor.info.name)
        ++i;  // both are in the order of the file
      tensor.has_outputs = has_outputs(i, points_);
    }
    if (std::ranges::any_of(report.tensors, &TensorSensitivity::has_outputs)) return;
    throw Subject{options_.calibration}.error(
        ErrorCode::kInvalidArgument,
        "has no inputs of a tensor that an operating point compresses; record some: pqw "
        "calibrate");
  }

  // If each unit is measured alone, fewer runs than most_runs may follow.
  void expect_runs() {
    std::size_t n = points_.size() + (options_.max_loss ? kMostTrials : 0);
    for (std::size_t u = 0; u < units_.units.size() && units_.units.size() > 1; ++u) {
      n += runs_of(units_.units, {u, u + 1});
    }
    runs_->expect_at_most(n);
  }

  std::string description(const std::vector<std::size_t>& tensors) const {
    const auto name = [&](std::size_t i) { return shown(reader_->tensors()[i].name); };
    if (tensors.size() == 1) return fmt::format("tensor '{}'", name(tensors.front()));
    return fmt::format("{} tensors, '{}' to '{}'", tensors.size(), name(tensors.front()),
                       name(tensors.back()));
  }

  RunRequest request(std::string key, std::string what, const CompressedModel& point,
                     std::vector<std::size_t> tensors) const {
    return {std::move(key), std::move(what), std::move(tensors),
            [&point](std::size_t tensor) { return point.read(tensor); }};
  }

  std::vector<std::vector<double>> measure(const std::vector<UnitRange>& ranges) {
    std::vector<RunRequest> requests;
    std::vector<std::vector<double>> harms(ranges.size(), std::vector<double>(points_.size()));
    std::vector<double*> places;
    for (std::size_t r = 0; r < ranges.size(); ++r) {
      for (std::size_t p = 0; p < points_.size(); ++p) {
        std::vector<std::size_t> tensors = units_.tensors_of(ranges[r], p);
        if (tensors.empty()) continue;  // equal to the original
        std::string key = fmt::format("{} {}-{}", name_of(p), ranges[r].begin, ranges[r].end);
        std::string what = fmt::format("{}: {}", name_of(p), description(tensors));
        requests.push_back(
            request(std::move(key), std::move(what), points_[p].made, std::move(tensors)));
        places.push_back(&harms[r][p]);
      }
    }
    const std::vector<double> scores = runs_->evaluate(requests);
    for (std::size_t i = 0; i < scores.size(); ++i) *places[i] = runs_->harm_of(scores[i]);
    return harms;
  }

  void finish(SensitivityReport& report) {
    Recipe recipe = recipe_of({});
    recipe.rules = importance_rules(report.tensors);
    report.recipe = recipe_text(recipe);
    if (options_.max_loss) {
      LossTrial found = search_loss(recipe.rules, report.recipe);
      report.target = found.target;
      report.recipe = std::move(found.recipe);
    }
    report.skipped = reader_->skipped();
    report.n_runs = runs_->n_runs();
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
    Recipe recipe = recipe_of(with_plain_if_not_finite({}));
    recipe.target = Target{TargetKind::kRatio, ratio};
    recipe.rules = rules;
    std::optional<CompressedModel> made;
    try {
      made.emplace(compressed(recipe, what, "target.h5"));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kInvalidArgument) throw;
      return std::nullopt;  // no archive is so small
    }
    std::vector<std::size_t> tensors;
    for (std::size_t i = 0; i < reader_->tensors().size(); ++i) {
      if (made->report_of(i) != nullptr) tensors.push_back(i);
    }
    const auto bytes = std::as_bytes(std::span(importances));
    const std::string key = fmt::format("{} {:.16}", what, archive::to_hex(archive::sha256(bytes)));
    const double score = runs_->evaluate({request(key, what, *made, tensors)}).front();
    return LossTrial{{ratio, made->file_bytes(), score, runs_->harm_of(score)}, made->recipe()};
  }

  const std::string& model_;
  const SensitivityOptions& options_;
  bool has_evaluator_;
  std::unique_ptr<WeightReader> reader_;
  std::optional<RecipeOutput> recipe_output_;
  std::unique_ptr<SensitivityRuns> runs_;
  std::vector<PointModel> points_;
  TensorUnits units_;
};

}  // namespace

SensitivityReport measure_sensitivity(const std::string& model, const Evaluator& evaluate,
                                      const SensitivityOptions& options) {
  return Sensitivity(model, evaluate, options).run();
}

}  // namespace pqw
