// Whole files: weights in, archive out.
#include "pqw/compress/compress.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <utility>

#include "compress/archive_size.h"
#include "compress/correction.h"
#include "compress/plan.h"
#include "compress/recipe_output.h"
#include "compress/search.h"
#include "compress/walk.h"
#include "core/subject.h"
#include "formats/formats.h"
#include "formats/model_folder.h"
#include "io/different_files.h"
#include "pipeline/checks.h"
#include "pipeline/pq_reference.h"
#include "pqw/archive/archive.h"

namespace pqw {
namespace {

struct Input {
  std::unique_ptr<WeightReader> reader;
  std::vector<WorkItem> plan;
  ArchiveWriterOptions archive_options;
  std::size_t n_tensors = 0;  // that the archive will have
  std::size_t n_weights = 0;  // in them
};

Input open_input(const std::string& path, const Recipe& recipe, const ReadOptions& options) {
  if (is_archive(path)) {
    throw Subject{archive_file(path)}.error(
        ErrorCode::kInvalidArgument,
        "is a pqw archive already; decode it first, or name the weight file");
  }
  Input input;
  input.reader = open_weights(path, options);
  require_all(path, *input.reader, recipe.skip_unsupported);
  input.plan = make_plan(input.reader->tensors(), recipe);
  std::vector<Layout> layouts = layouts_of(input.reader->tensors(), recipe);
  for (std::size_t i = 0; i < layouts.size(); ++i) {
    input.reader->set_layout(i, std::move(layouts[i]));
  }
  input.archive_options.metadata = input.reader->metadata();
  for (const WorkItem& item : input.plan) {
    const bool adopts = std::holds_alternative<AdoptInt8>(item.action);
    for (const std::size_t i : std::span(item.tensors).first(adopts ? 1 : item.tensors.size())) {
      ++input.n_tensors;
      input.n_weights += element_count(input.reader->tensors()[i].shape);
    }
  }
  return input;
}

// Throws kInvalidArgument when writing the archive would destroy the input or the file of the
// recipe (io/different_files.h), or for the extension of another format. An empty `output` means
// that there is none.
void check_archive_output(const std::string& input, const Recipe& recipe,
                          const std::string& output) {
  const std::array<std::string, 2> inputs = {input, recipe.file};
  require_different_files(inputs, output);
  require_archive_extension(output);
}

// All files that a run reads: no output may replace one of them.
std::vector<std::string> files_of(const WeightReader& reader, const std::string& path,
                                  const Recipe& recipe) {
  std::vector<std::string> files = reader.files();
  files.push_back(path);
  files.push_back(recipe.file);
  if (const std::string folder = sidecar_folder(path); !folder.empty()) {
    std::ranges::move(sidecars_in(folder), std::back_inserter(files));
  }
  return files;
}

// Checks the outputs of a run before any work; the file of the recipe, if there is to be one.
std::optional<RecipeOutput> open_outputs(const WeightReader& reader, const std::string& path,
                                         const std::string& output, const Recipe& recipe) {
  const std::vector<std::string> files = files_of(reader, path, recipe);
  require_different_files(files, output);
  if (recipe.output.empty()) return std::nullopt;
  return std::optional<RecipeOutput>(std::in_place, recipe, files, output);
}

// The outcome of the search for the target; empty without a target.
std::optional<SearchResult> search_target(const std::optional<Target>& target,
                                          const std::string& path, CompressObserver* observer,
                                          Input& input, Probes* probes = nullptr) {
  if (!target) return std::nullopt;
  return search({*input.reader, *target, input.archive_options, path, observer, probes},
                input.plan);
}

// By the names of the reports. The values of adopted tensors have no float type.
std::map<std::string, Settings> rules_of(const Input& input) {
  std::map<std::string, Settings> rules;
  for (const WorkItem& item : input.plan) {
    const bool adopts = std::holds_alternative<AdoptInt8>(item.action);
    for (const std::size_t i : item.tensors) {
      const TensorInfo& info = input.reader->tensors()[i];
      if (adopts || is_decided_by_rules(info) || may_be_narrowed(info, item.plain_dtype))
        rules[info.name] = rule_of(item);
      if (adopts) break;
    }
  }
  return rules;
}

// The walk, and what a recipe says to do the same.
std::vector<TensorReport> walk_with_rules(Input& input, const WalkOptions& options,
                                          const std::function<void(const StoredTensor&)>& store) {
  const std::map<std::string, Settings> rules = rules_of(input);
  std::vector<TensorReport> reports = walk(*input.reader, input.plan, options, store);
  for (TensorReport& report : reports) {
    const auto rule = rules.find(report.info.name);
    if (rule != rules.end()) report.rule = rule->second;
  }
  return reports;
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

// Searches and walks until the measured error or size fits the target (correction.h). Without a
// target it walks once.
class TargetRun {
 public:
  // `walk` makes the archive by the plan of the input, and fills in the reports of its tensors and the
  // bytes of the file.
  TargetRun(const Recipe& recipe, const std::string& path, CompressObserver* observer, Input& input,
            std::function<void(Report&)> walk)
      : target_(recipe.target),
        path_(path),
        observer_(observer),
        input_(input),
        plan_(input.plan),
        walk_(walk) {}

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
    constexpr double kNear = 0.99;
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
    return best;
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
    if (made_.empty() || !has_same_settings(before, input_.plan)) {
      walk_(report);
      report.search = found->outcome;
      if (target.kind == TargetKind::kError) report.search->target_error = target_->value;
      report.search->error = measured_error(target.metric, found->shares, report.tensors);
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
  std::vector<Made> made_;  // by each attempt
};

// The first search of a run.
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

// Modules whose weight is not compressed, although it is a matrix or more.
std::vector<std::string> plain_modules(const Report& report) {
  constexpr std::string_view kWeight = ".weight";
  std::vector<std::string> names;
  for (const TensorReport& tensor : report.tensors) {
    const std::string& name = tensor.info.name;
    if (tensor.compressed() || tensor.info.shape.size() < 2 || !name.ends_with(kWeight)) continue;
    names.push_back(name.substr(0, name.size() - kWeight.size()));
  }
  return names;
}

// Of an input of several files of weights, the bytes of the largest; else 0.
std::uint64_t largest_shard(const WeightReader& reader) {
  std::vector<std::uint64_t> sizes;
  for (const std::string& file : reader.files()) {
    if (extension_of(file) != ".json") sizes.push_back(InputFile(file).size());
  }
  return sizes.size() < 2 ? 0 : *std::ranges::max_element(sizes);
}

// The tensor with the codes of the first weight that another program quantized and that
// import_weights would take over; empty if there is none.
std::string importable(const std::string& path, const WeightReader& reader) {
  try {
    const std::vector<PqReference> found = find_pq_references(path, reader.tensors());
    return found.empty() ? "" : reader.tensors()[found.front().codes].name;
  } catch (const Error&) {
    return "";
  }
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Report compress(const std::string& input_path, const std::string& output, const Recipe& recipe,
                const CompressOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  check_archive_output(input_path, recipe, output);
  Input input = open_input(input_path, recipe, options.reading);
  std::optional<RecipeOutput> recipe_output =
      open_outputs(*input.reader, input_path, output, recipe);
  std::optional<OutputFolder> folder;
  if (is_output_folder(output)) {
    folder.emplace(output, WriteOptions{.overwrite = options.overwrite}, is_model_file);
  }
  const std::string archive = folder ? folder->path_of(kArchiveInFolder) : output;
  input.archive_options.overwrite = options.overwrite;
  Report report;
  report.skipped = input.reader->skipped();
  report.importable = importable(input_path, *input.reader);
  if (options.observer != nullptr) {
    options.observer->on_start(input.n_tensors, input.n_weights);
  }
  std::optional<ArchiveWriter> writer(std::in_place, archive, input.archive_options);
  bool is_first = true;
  const Checkpoint checkpoint(archive, options.reading);
  if (options.resume) checkpoint.require_folder();
  const auto walk_plan = [&](Report& made) {
    if (!std::exchange(is_first, false)) {
      writer.reset();
      writer.emplace(archive, input.archive_options);
      if (options.observer != nullptr) {
        options.observer->on_start(input.n_tensors, input.n_weights);
      }
    }
    ArchiveSizer sizer(input.archive_options, archive);
    made.tensors = walk_with_rules(
        input,
        {.path = input_path,
         .observer = options.observer,
         .checkpoint = &checkpoint,
         .resume = options.resume,
         .is_long = [&] { return seconds_since(start) >= options.keep_after_seconds; }},
        [&](const StoredTensor& tensor) {
          add(tensor, *writer);
          add(tensor, sizer);
        });
    made.file_bytes = sizer.finish();
  };
  TargetRun(recipe, input_path, options.observer, input, walk_plan).run(report);
  report.file_bytes = writer->commit();
  checkpoint.remove();
  if (folder) {
    if (const std::string from = sidecar_folder(input_path); !from.empty()) {
      copy_sidecars(from, *folder,
                    {PQW_VERSION, plain_modules(report), largest_shard(*input.reader)});
      report.not_copied = not_copied(from, input.reader->files());
    }
    folder->commit();
  }
  report.seconds = seconds_since(start);
  if (recipe_output) recipe_output->commit(report);
  return report;
}

Report plan_compression(const std::string& input_path, const Recipe& recipe,
                        const std::string& output, const ReadOptions& options,
                        CompressObserver* observer) {
  const auto start = std::chrono::steady_clock::now();
  check_archive_output(input_path, recipe, output);
  Input input = open_input(input_path, recipe, options);
  std::optional<RecipeOutput> recipe_output =
      open_outputs(*input.reader, input_path, output, recipe);
  Report report;
  report.skipped = input.reader->skipped();
  report.importable = importable(input_path, *input.reader);
  if (const auto found = search_once(recipe.target, input_path, observer, input)) {
    report.search = found->outcome;
  }
  ArchiveSizer sizer(input.archive_options, output.empty() ? "the archive" : output);
  report.tensors = walk_with_rules(input, {.mode = Mode::kSize, .path = input_path},
                                   [&](const StoredTensor& tensor) { add(tensor, sizer); });
  report.file_bytes = sizer.finish();
  report.seconds = seconds_since(start);
  if (recipe_output) recipe_output->commit(report);
  return report;
}

}  // namespace pqw
