// Files of input statistics.
#include "pqw/calibration/statistics_file.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "archive/digest.h"
#include "core/subject.h"
#include "formats/formats.h"
#include "pqw/core/layout.h"
#include "pqw/core/matrix.h"

namespace pqw {
namespace {

constexpr char kVersionKey[] = "pqw_statistics", kModelKey[] = "pqw_model";
constexpr char kVersion[] = "1";
constexpr std::string_view kGroupPrefix = "hdf5:", kNameSuffix = "@name";  // hdf5_attributes.h
constexpr char kRows[] = "rows", kMeans[] = "means", kSecondMoments[] = "second_moments",
               kHeldOut[] = "held_out", kGramBlock[] = "gram_block", kGram[] = "gram",
               kAxes[] = "axes";

constexpr char kMakeAgain[] = "make the statistics again with pqw calibrate";

std::string digest_of(std::span<const TensorInfo> tensors) {
  std::vector<std::string> lines;
  for (const TensorInfo& info : tensors) {
    lines.push_back(fmt::format("{}:{}{}\n", info.name.size(), info.name, to_string(info.shape)));
  }
  std::ranges::sort(lines);
  archive::Sha256 digest;
  for (const std::string& line : lines) digest.update(std::as_bytes(std::span(line)));
  return archive::to_hex(digest.finish());
}

std::string_view text_at(const Metadata& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? std::string_view() : found->second;
}

// The datasets of one tensor.
class Group {
 public:
  Group(const WeightReader& file, const std::map<std::string, std::size_t>& datasets,
        std::string group, Subject subject)
      : file_(file), datasets_(datasets), group_(std::move(group)), subject_(std::move(subject)) {}

  TensorStatistics read() const {
    TensorStatistics result;
    InputStatistics& inputs = result.inputs;
    inputs.n_rows = number(kRows);
    inputs.cols = shape_of(kMeans, 1)[0];
    inputs.means = values<double>(kMeans, DType::kF64, {inputs.cols});
    inputs.second_moments = values<double>(kSecondMoments, DType::kF64, {inputs.cols});
    inputs.held_out = values<float>(kHeldOut, DType::kF32, {shape_of(kHeldOut, 2)[0], inputs.cols});
    if (inputs.n_rows == 0 || inputs.cols == 0 || inputs.held_out.empty()) {
      throw subject_.error("no rows; {}", kMakeAgain);
    }
    inputs.gram_block = number(kGramBlock);
    if (inputs.gram_block > 0) {
      inputs.gram = values<float>(kGram, DType::kF32, {gram_count_in_file(inputs)});
    }
    if (has(kAxes)) result.axes = axes();
    return result;
  }

 private:
  std::string path(const char* name) const { return group_ + "/" + name; }
  bool has(const char* name) const { return datasets_.contains(path(name)); }

  const TensorInfo& info(const char* name) const {
    const auto found = datasets_.find(path(name));
    if (found != datasets_.end()) return file_.tensors()[found->second];
    throw subject_.error("the dataset '{}' is missing; {}", name, kMakeAgain);
  }

  const Shape& shape_of(const char* name, std::size_t rank) const {
    const Shape& shape = info(name).shape;
    if (shape.size() == rank) return shape;
    throw subject_.error("the dataset '{}' has shape {}, expected rank {}; {}", name,
                         to_string(shape), rank, kMakeAgain);
  }

  // The count of a Gram matrix whose dataset has it; else an error.
  std::size_t gram_count_in_file(const InputStatistics& inputs) const {
    const std::size_t count = shape_of(kGram, 1)[0], block = inputs.gram_block;
    // A block is not larger than the whole, so that the count cannot overflow.
    const bool fits = block <= inputs.cols && block <= count / block &&
                      inputs.cols / block <= count / block / block &&
                      count == gram_count(inputs.cols, block);
    if (fits) return count;
    throw subject_.error("a Gram matrix of {} elements does not fit {} columns in blocks of {}; {}",
                         count, inputs.cols, block, kMakeAgain);
  }

  template <class T>
  std::vector<T> values(const char* name, DType dtype, const Shape& shape) const {
    const TensorInfo& found = info(name);
    if (found.dtype != dtype || found.shape != shape) {
      throw subject_.error("the dataset '{}' is {} of shape {}, expected {} of shape {}; {}", name,
                           dtype_name(found), to_string(found.shape), to_string(dtype),
                           to_string(shape), kMakeAgain);
    }
    const std::vector<std::byte> bytes = file_.read(datasets_.at(path(name)));
    std::vector<T> result(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
    if constexpr (std::is_floating_point_v<T>) {
      const auto bad = std::ranges::find_if(result, [](T value) { return !std::isfinite(value); });
      if (bad != result.end()) {
        throw subject_.error("{} in the dataset '{}' at {}; {}", *bad, name, bad - result.begin(),
                             kMakeAgain);
      }
    }
    return result;
  }

  std::uint64_t number(const char* name) const {
    return values<std::uint64_t>(name, DType::kU64, {})[0];
  }

  std::vector<std::size_t> axes() const {
    const std::size_t rank = shape_of(kAxes, 1)[0];
    std::vector<std::size_t> axes = values<std::size_t>(kAxes, DType::kU64, {rank});
    if (is_permutation(axes, rank)) return axes;
    throw subject_.error("the dataset '{}' is not an order of dimensions; {}", kAxes, kMakeAgain);
  }

  const WeightReader& file_;
  const std::map<std::string, std::size_t>& datasets_;
  std::string group_;
  Subject subject_;
};

// Whether they are statistics of such a weight, or of the groups of such a convolution.
bool fits(const InputStatistics& inputs, MatrixShape weight) {
  if (inputs.cols == weight.cols) return true;
  if (weight.cols == 0 || inputs.cols % weight.cols != 0) return false;
  const bool are_groups = weight.rows % inputs.n_groups(weight.cols) == 0;
  return are_groups && (inputs.gram_block == 0 || weight.cols % inputs.gram_block == 0);
}

std::vector<TensorInfo> datasets_of(std::span<const StatisticsOutline> outlines) {
  std::vector<TensorInfo> infos;
  for (std::size_t i = 0; i < outlines.size(); ++i) {
    const StatisticsOutline& outline = outlines[i];
    const auto add = [&](const char* name, DType dtype, Shape shape) {
      infos.push_back({fmt::format("{}/{}", i, name), dtype, std::move(shape)});
    };
    add(kRows, DType::kU64, {});
    add(kMeans, DType::kF64, {outline.cols});
    add(kSecondMoments, DType::kF64, {outline.cols});
    add(kHeldOut, DType::kF32, {outline.n_held_out, outline.cols});
    add(kGramBlock, DType::kU64, {});
    if (outline.gram_block > 0)
      add(kGram, DType::kF32, {gram_count(outline.cols, outline.gram_block)});
    if (!outline.axes.empty()) add(kAxes, DType::kU64, {outline.axes.size()});
  }
  return infos;
}

}  // namespace

std::size_t gram_count(std::size_t cols, std::size_t gram_block) {
  if (gram_block == 0) return 0;
  const std::size_t rest = cols % gram_block;
  return cols / gram_block * gram_block * gram_block + rest * rest;
}

StatisticsReader::StatisticsReader(const std::string& path, const ReadOptions& options)
    : path_(path), file_(open_weights(path, options)) {
  const Subject subject{path_, ErrorCode::kFormat};
  const Metadata& metadata = file_->metadata();
  const std::string_view version = text_at(metadata, kVersionKey);
  if (version.empty()) {
    throw subject.error("not a file of input statistics; pqw calibrate makes one");
  }
  if (version != kVersion) {
    throw subject.error(ErrorCode::kUnsupported,
                        "input statistics of version {}, this pqw reads version {}; {}",
                        shown(version), kVersion, kMakeAgain);
  }
  model_ = text_at(metadata, kModelKey);
  for (const auto& [key, value] : metadata) {
    if (!key.starts_with(kGroupPrefix) || !key.ends_with(kNameSuffix)) continue;
    std::string group = key.substr(kGroupPrefix.size());
    group.resize(group.size() - kNameSuffix.size());
    if (!groups_.emplace(value, std::move(group)).second) {
      throw subject.in("statistics", value).error("stored twice; {}", kMakeAgain);
    }
  }
  for (std::size_t i = 0; i < file_->tensors().size(); ++i) {
    datasets_.emplace(file_->tensors()[i].name, i);
  }
}

void StatisticsReader::require_model(const std::string& model,
                                     std::span<const TensorInfo> tensors) const {
  if (digest_of(tensors) == model_) return;
  throw Subject{path_}.error(ErrorCode::kInvalidArgument,
                             "statistics of another model: names or shapes of its tensors are not "
                             "those of {}; make statistics with pqw calibrate --model {}",
                             shown(model), shown(model));
}

std::vector<std::string> StatisticsReader::tensors() const {
  std::vector<std::string> names;
  for (const auto& [name, group] : groups_) names.push_back(name);
  return names;
}

std::optional<TensorStatistics> StatisticsReader::read(const TensorInfo& info) const {
  const auto group = groups_.find(info.name);
  if (group == groups_.end()) return std::nullopt;
  const Subject subject = Subject{path_, ErrorCode::kFormat}.in("statistics", info.name);
  TensorStatistics found = Group(*file_, datasets_, group->second, subject).read();
  const std::size_t rank = info.shape.size();
  const bool has_axes = rank >= 2 && (found.axes.empty() || found.axes.size() == rank);
  if (has_axes && fits(found.inputs, matrix_shape(canonical_shape(info.shape, found.axes)))) {
    return found;
  }
  throw subject.error("{} columns do not fit shape {}; {}", found.inputs.cols,
                      to_string(info.shape), kMakeAgain);
}

std::optional<InputStatistics> StatisticsReader::inputs_of(const TensorInfo& info) const {
  std::optional<TensorStatistics> found = read(info);
  if (!found) return std::nullopt;
  if (found->axes == info.layout.axes) return std::move(found->inputs);
  const std::size_t rank = info.shape.size();
  throw Subject{path_, ErrorCode::kInvalidArgument}
      .in("statistics", info.name)
      .error("made for the layout {}, the tensor has {}; {} --set 'PATTERN:layout={}'",
             letters_of(found->axes, rank), letters_of(info.layout.axes, rank), kMakeAgain,
             letters_of(info.layout.axes, rank));
}

StatisticsWriter::StatisticsWriter(const std::string& path, std::span<const TensorInfo> model,
                                   std::span<const StatisticsOutline> outlines,
                                   const WriteOptions& options)
    : outlines_(outlines.begin(), outlines.end()) {
  if (const std::string extension = extension_of(path);
      extension != ".h5" && extension != ".hdf5") {
    throw Subject{path}.error(ErrorCode::kInvalidArgument,
                              "extension '{}', expected .h5 or .hdf5: statistics are HDF5 files",
                              shown(extension));
  }
  Metadata metadata = {{kVersionKey, kVersion}, {kModelKey, digest_of(model)}};
  for (std::size_t i = 0; i < outlines_.size(); ++i) {
    metadata[fmt::format("{}{}{}", kGroupPrefix, i, kNameSuffix)] = outlines_[i].tensor;
  }
  file_ = create_weights(path, datasets_of(outlines_), metadata, options);
}

void StatisticsWriter::add(const InputStatistics& inputs) {
  const StatisticsOutline& outline = outlines_.at(n_added_++);
  assert(inputs.cols == outline.cols && inputs.gram_block == outline.gram_block);
  const auto add = [&](const auto& values) { file_->add(std::as_bytes(std::span(values))); };
  const auto add_number = [&](std::uint64_t value) { add(std::span(&value, 1)); };
  add_number(inputs.n_rows);
  add(inputs.means);
  add(inputs.second_moments);
  add(inputs.held_out);
  add_number(inputs.gram_block);
  if (outline.gram_block > 0) add(inputs.gram);
  if (!outline.axes.empty()) add(outline.axes);
}

void StatisticsWriter::commit() { file_->commit(); }

}  // namespace pqw
