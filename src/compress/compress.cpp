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
#include "compress/input.h"
#include "compress/plan.h"
#include "compress/recipe_output.h"
#include "compress/target_run.h"
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

// Throws kInvalidArgument when writing the archive would destroy the input or the file of the
// recipe (io/different_files.h), or for the extension of another format. An empty `output` means
// that there is none.
void check_archive_output(const std::string& input, const Recipe& recipe,
                          const std::string& output) {
  const std::array<std::string, 3> inputs = {input, recipe.file, recipe.calibration};
  require_different_files(inputs, output);
  require_archive_extension(output);
}

// All files that a run reads: no output may replace one of them.
std::vector<std::string> files_of(const WeightReader& reader, const std::string& path,
                                  const Recipe& recipe) {
  std::vector<std::string> files = reader.files();
  files.push_back(path);
  files.push_back(recipe.file);
  if (!recipe.calibration.empty()) files.push_back(recipe.calibration);
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
         .statistics = input.statistics.get(),
         .checkpoint = &checkpoint,
         .resume = options.resume,
         .is_long = [&] { return seconds_since(start) >= options.keep_after_seconds; }},
        [&](const StoredTensor& tensor) {
          add(tensor, *writer);
          add(tensor, sizer);
        });
    made.file_bytes = sizer.finish();
  };
  run_for_target(recipe, input_path, options.observer, input, walk_plan, report);
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
  if (recipe_output) recipe_output->commit(recipe_text(report));
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
  report.tensors = walk_with_rules(
      input, {.mode = Mode::kSize, .path = input_path, .statistics = input.statistics.get()},
      [&](const StoredTensor& tensor) { add(tensor, sizer); });
  report.file_bytes = sizer.finish();
  report.seconds = seconds_since(start);
  if (recipe_output) recipe_output->commit(recipe_text(report));
  return report;
}

}  // namespace pqw
