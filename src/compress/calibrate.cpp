// Whole files: recorded inputs in, their statistics out.
#include "pqw/compress/calibrate.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "compress/input_rows.h"
#include "compress/plan.h"
#include "compress/row_statistics.h"
#include "compress/tensor_pattern.h"
#include "core/subject.h"
#include "io/different_files.h"
#include "io/input_file.h"
#include "model/archive_tensors.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/core/convert.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

constexpr std::uint64_t kFewestRows = 16;
constexpr double kMostMagnitude = 1e18;  // the square is a float

// An array of recorded inputs.
struct Recorded {
  const WeightReader* reader;
  std::size_t index;
  Subject subject;
  InputRows rows;
};

// A weight and all arrays of its inputs.
struct Job {
  TensorInfo weight;  // as in the file of the model, with the layout of the settings
  std::vector<Recorded> arrays = {};
  std::uint64_t n_rows = 0;
};

void require_layout_key(const std::string& key) {
  static const Words kKnown = {"stride", "padding", "dilation", "kind", "layout"};
  if (key == "kind" || key == "layout") return;
  throw invalid_argument("unknown setting '{}': expected {}{}", shown(key), listed(kKnown),
                         did_you_mean(key, kKnown));
}

// The settings of weights: those of windows here, the others as a recipe.
class Settled {
 public:
  Settled(std::span<const TensorInfo> tensors, const std::vector<Rule>& rules) {
    Recipe recipe;
    for (const Rule& rule : rules) {
      Rule others{rule.pattern, {}};
      Window window;
      for (const auto& [key, value] : rule.settings) {
        if (set_window(key, value, window)) continue;
        require_layout_key(key);
        others.settings.emplace_back(key, value);
      }
      patterns_.emplace_back(rule.pattern.text);
      windows_.push_back(std::move(window));
      recipe.rules.push_back(std::move(others));
    }
    layouts_ = layouts_of(tensors, recipe);
  }

  const Layout& layout(std::size_t tensor) const { return layouts_[tensor]; }

  // Patterns see the layout of the file.
  Window window(const TensorInfo& in_file) const {
    for (std::size_t i = 0; i < patterns_.size(); ++i) {
      if (patterns_[i].matches(in_file)) return windows_[i];
    }
    return {};
  }

 private:
  std::vector<TensorPattern> patterns_;
  std::vector<Window> windows_;
  std::vector<Layout> layouts_;
};

// The arrays of all inputs, sorted to the weights of a model.
class Recording {
 public:
  Recording(const std::string& model_path, std::span<const TensorInfo> model,
            const Settled& settled)
      : model_path_(model_path), model_(model), settled_(settled) {
    for (std::size_t i = 0; i < model.size(); ++i) index_.emplace(model[i].name, i);
  }

  void add(const std::string& path, const WeightReader& reader) {
    const Subject file{path, ErrorCode::kInvalidArgument};
    for (const Skipped& item : reader.skipped()) skip(item);
    for (std::size_t i = 0; i < reader.tensors().size(); ++i) {
      add_array(reader, i, file.in("array", reader.tensors()[i].name));
    }
  }

  // In the order of the model. Errors: kInvalidArgument (too few rows).
  std::vector<Job> take_jobs() {
    std::vector<Job> jobs;
    for (auto& [index, job] : jobs_) {
      if (job.n_rows < kFewestRows) {
        throw job.arrays.front().subject.error(
            "{} rows of inputs in all files, expected {} or more; record more inputs", job.n_rows,
            kFewestRows);
      }
      jobs.push_back(std::move(job));
    }
    return jobs;
  }

  // The names of weights without inputs.
  std::vector<std::string> without() const {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < model_.size(); ++i) {
      const TensorInfo& info = model_[i];
      const bool is_weight = is_compressible(info.dtype) && info.shape.size() >= 2;
      if (is_weight && !jobs_.contains(i)) names.push_back(info.name);
    }
    return names;
  }

  std::vector<Skipped> take_skipped() { return std::move(skipped_); }

 private:
  // Once for all files.
  void skip(Skipped item) {
    if (std::ranges::find(skipped_, item) == skipped_.end()) skipped_.push_back(std::move(item));
  }

  void add_array(const WeightReader& reader, std::size_t index, Subject subject) {
    const TensorInfo& array = reader.tensors()[index];
    const std::size_t tensor = index_of_weight(array, subject);
    const TensorInfo& in_file = model_[tensor];
    if (!is_compressible(array.dtype)) {
      throw subject.error(
          "{}, expected F16, BF16, F32 or F64: the inputs of the weight; leave out "
          "indices of embeddings",
          shown(dtype_name(array)));
    }
    if (!is_compressible(in_file.dtype) || in_file.shape.size() < 2) {
      throw subject.error(
          "{} has it as {} of shape {}, expected a weight of floats of rank 2 or "
          "more",
          shown(model_path_), dtype_name(in_file), to_string(in_file.shape));
    }
    Job job{in_file};
    job.weight.layout = settled_.layout(tensor);
    const TensorInfo weight = canonical(job.weight);
    if (std::string why = obstacle_to_rows(weight); !why.empty()) {
      skip({array.name, std::move(why), true});
      return;
    }
    InputRows rows(array.shape, weight, settled_.window(in_file), subject);
    Job& all = jobs_.emplace(tensor, std::move(job)).first->second;
    if (!all.arrays.empty() && all.arrays.front().rows.cols() != rows.cols()) {
      throw subject.error("inputs of {} columns, in another array {}; record the inputs again",
                          rows.cols(), all.arrays.front().rows.cols());
    }
    all.n_rows += std::uint64_t{rows.n_samples()} * rows.rows_per_sample();
    all.arrays.push_back({&reader, index, std::move(subject), std::move(rows)});
  }

  std::size_t index_of_weight(const TensorInfo& array, const Subject& subject) const {
    const auto found = index_.find(array.name);
    if (found != index_.end()) return found->second;
    Words names;
    for (const TensorInfo& info : model_) names.push_back(info.name);
    throw subject.error(
        "{} has no tensor of that name; an array has the name of the weight that it is an input "
        "of{}",
        shown(model_path_), did_you_mean(array.name, names));
  }

  const std::string& model_path_;
  std::span<const TensorInfo> model_;
  const Settled& settled_;
  std::map<std::string, std::size_t> index_;
  std::map<std::size_t, Job> jobs_;  // by the index of the weight
  std::vector<Skipped> skipped_;
};

// "[3, 7]": the place of an element in an array of that shape.
std::string place_in(const Shape& shape, std::size_t element) {
  Shape place(shape.size());
  for (std::size_t i = shape.size(); i-- > 0;) {
    place[i] = element % shape[i];
    element /= shape[i];
  }
  return to_string(place);
}

void add_rows(const Recorded& recorded, RowStatistics& statistics) {
  const TensorInfo& info = recorded.reader->tensors()[recorded.index];
  const InputRows& rows = recorded.rows;
  const std::vector<std::byte> bytes = recorded.reader->read(recorded.index);
  const std::size_t sample_bytes = rows.sample_size() * size_in_bytes(info.dtype);
  std::vector<double> sample(rows.sample_size());
  for (std::size_t i = 0; i < rows.n_samples(); ++i) {
    to_double(std::span(bytes).subspan(i * sample_bytes, sample_bytes), info.dtype, sample);
    const auto bad = std::ranges::find_if(
        sample, [](double value) { return !(std::abs(value) <= kMostMagnitude); });
    if (bad != sample.end()) {
      const auto at = static_cast<std::size_t>(bad - sample.begin());
      throw recorded.subject.error(
          "{} at {}, expected numbers of at most {:g}; record the inputs again", *bad,
          place_in(info.shape, i * rows.sample_size() + at), kMostMagnitude);
    }
    for (std::size_t row = 0; row < rows.rows_per_sample(); ++row) {
      rows.gather(sample, row, statistics.next_row());
      statistics.add_row();
    }
  }
}

// The columns of a Gram block. Blocks of a convolution in groups are equal parts of a group.
std::size_t gram_block_of(std::size_t group_cols, std::size_t cols, std::size_t most) {
  std::size_t block = std::min(group_cols, most);
  while (block > 0 && group_cols < cols && group_cols % block != 0) --block;
  return block;
}

CalibratedTensor outcome_of(const Job& job, const CalibrateOptions& options) {
  const std::size_t cols = job.arrays.front().rows.cols();
  const std::size_t n_held_out =
      held_out_rows(job.n_rows, options.most_held_out, options.seed).size();
  return {job.weight, cols, job.n_rows - n_held_out, n_held_out,
          gram_block_of(matrix_shape(canonical(job.weight).shape).cols, cols, options.gram_block)};
}

InputStatistics statistics_of(const Job& job, const CalibratedTensor& outcome,
                              const CalibrateOptions& options) {
  RowStatistics statistics(outcome.cols, outcome.gram_block,
                           held_out_rows(job.n_rows, options.most_held_out, options.seed));
  for (const Recorded& recorded : job.arrays) add_rows(recorded, statistics);
  return statistics.finish();
}

using Readers = std::vector<std::unique_ptr<WeightReader>>;

void require_other_files(const std::string& model, std::span<const std::string> inputs,
                         const Readers& readers, const std::string& output) {
  std::vector<std::string> files(inputs.begin(), inputs.end());
  files.push_back(model);
  for (const auto& reader : readers) std::ranges::copy(reader->files(), std::back_inserter(files));
  require_different_files(files, output);
}

}  // namespace

void check_calibrate_rule(const Rule& rule) {
  Window window;
  for (const auto& [key, value] : rule.settings) {
    if (!set_window(key, value, window)) require_layout_key(key);
  }
}

CalibrationReport calibrate(const std::string& model, std::span<const std::string> inputs,
                            const std::string& output, const CalibrateOptions& options) {
  if (options.most_held_out == 0) {
    throw invalid_argument("0 rows held out, expected 1 or more: they judge the result");
  }
  Readers readers;
  readers.push_back(open_decoded(model, options.reading));
  const std::vector<TensorInfo>& tensors = readers.front()->tensors();
  const Settled settled(tensors, options.rules);
  Recording recording(model, tensors, settled);
  for (const std::string& path : inputs) {
    readers.push_back(open_weights(path, options.reading));
    recording.add(path, *readers.back());
  }
  require_other_files(model, inputs, readers, output);
  CalibrationReport report{{}, recording.without(), {}, 0};
  const std::vector<Job> jobs = recording.take_jobs();
  report.skipped = recording.take_skipped();
  if (jobs.empty()) {
    throw Subject{inputs.empty() ? "" : inputs.front(), ErrorCode::kNotFound}.error(
        "no inputs of a weight of {}", shown(model));
  }
  std::vector<StatisticsOutline> outlines;
  for (const Job& job : jobs) {
    const CalibratedTensor& tensor = report.tensors.emplace_back(outcome_of(job, options));
    outlines.push_back({tensor.info.name, tensor.info.layout.axes, tensor.cols, tensor.gram_block,
                        tensor.n_held_out});
  }
  StatisticsWriter writer(output, tensors, outlines, {.overwrite = options.overwrite});
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    writer.add(statistics_of(jobs[i], report.tensors[i], options));
  }
  writer.commit();
  report.file_bytes = InputFile(output).size();
  return report;
}

}  // namespace pqw
