// Measuring and checking whole files.
#include "pqw/pipeline/evaluate.h"

#include <algorithm>
#include <map>
#include <optional>

#include "codecs/cast.h"
#include "core/parallel.h"
#include "core/permute.h"
#include "core/subject.h"
#include "model/archive_tensors.h"
#include "pipeline/adopting_reader.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/core/convert.h"
#include "pqw/core/matrix.h"
#include "pqw/pipeline/decode.h"

namespace pqw {
namespace {

TensorReport describe(const ArchiveReader& archive, std::size_t index) {
  const ArchiveEntry& entry = archive.entries()[index];
  TensorReport report;
  report.info = original_info(archive, index);
  report.codec = entry.codec;
  report.bytes = entry.data_bytes;
  report.n_parameters = element_count(entry.info.shape);
  try {
    const std::size_t stored = stored_index(archive, index);
    report.narrowed = is_narrowed(archive, stored);
    report.exact = has_values(archive, stored) && !report.narrowed;
    if (stored != index) {
      report.note = same_as(archive.entries()[stored].info.name);
      report.n_parameters = 0;
    } else if (report.narrowed) {
      report.note = stored_in(cast_dtype(archive.read(index)));
    } else if (!report.exact) {
      describe(read_compressed(archive, index), report);
    }
  } catch (const Error& error) {  // of a later version: it can be listed, not read
    if (error.code() != ErrorCode::kUnsupported) throw;
    report.note = error.what();
  }
  return report;
}

Report describe_archive(const std::string& path, const ReadOptions& options) {
  const ArchiveReader reader(path, options);
  Report report;
  report.file_bytes = reader.file_bytes();
  for (std::size_t i = 0; i < reader.entries().size(); ++i) {
    report.tensors.push_back(describe(reader, i));
  }
  return report;
}

Report describe_weights(const WeightReader& reader) {
  Report report;
  for (const TensorInfo& info : reader.tensors()) {
    TensorReport tensor;
    tensor.info = info;
    tensor.bytes = byte_count(info);
    tensor.note = info.layout.ambiguous;
    tensor.n_parameters = element_count(info.shape);
    report.tensors.push_back(std::move(tensor));
  }
  report.skipped = reader.skipped();
  report.file_bytes = reader.file_bytes();
  return report;
}

std::map<std::string, std::size_t> index_by_name(const WeightReader& reader) {
  std::map<std::string, std::size_t> indices;
  for (std::size_t i = 0; i < reader.tensors().size(); ++i) indices[reader.tensors()[i].name] = i;
  return indices;
}

void require_same_names(const std::string& path_a, const std::map<std::string, std::size_t>& a,
                        const std::string& path_b, const std::map<std::string, std::size_t>& b) {
  for (const auto& [name, index] : a) {
    if (b.contains(name)) continue;
    throw tensor_subject(name).error("is in {} but not in {}", path_a, path_b);
  }
}

// The source, with the layouts of the other side, and as floats those int8 weights that are floats
// there.
std::unique_ptr<WeightReader> adopted_as(const std::string& path,
                                         std::unique_ptr<WeightReader> source,
                                         const WeightReader& decoded) {
  const auto names = index_by_name(decoded);
  for (std::size_t i = 0; i < source->tensors().size(); ++i) {
    const auto found = names.find(source->tensors()[i].name);
    if (found == names.end()) continue;
    const TensorInfo& other = decoded.tensors()[found->second];
    if (other.shape == source->tensors()[i].shape) source->set_layout(i, other.layout);
  }
  std::vector<Int8Reference> references = find_int8_references(source->tensors());
  std::erase_if(references, [&](const Int8Reference& reference) {
    const auto found = names.find(source->tensors()[reference.values].name);
    return found == names.end() || !is_compressible(decoded.tensors()[found->second].dtype) ||
           names.contains(source->tensors()[reference.scale].name);
  });
  if (references.empty()) return source;
  return std::make_unique<AdoptingReader>(path, std::move(source), std::move(references));
}

// Measures the distortion of one tensor. Equal bytes of any type have none.
void compare(const TensorInfo& original_info, std::span<const std::byte> original,
             std::span<const std::byte> reconstruction, bool from_archive, TensorReport& report) {
  const bool equal =
      dtype_name(original_info) == dtype_name(report.info) &&
      std::equal(original.begin(), original.end(), reconstruction.begin(), reconstruction.end());
  if (equal && !report.compressed()) {
    report.distortion.emplace();
    return;
  }
  if (!is_compressible(original_info.dtype) || !is_compressible(report.info.dtype)) {
    throw tensor_subject(original_info.name)
        .error("{} and {} data differ, and eval measures only float types",
               dtype_name(original_info), dtype_name(report.info));
  }
  report.distortion = measure(original_info.dtype, original, report.info.dtype, reconstruction);
  if (!from_archive) report.codec = "decoded";
  if (!report.compressed() && !report.narrowed)
    report.note = "plain, but differs from the original";
}

// The values of a tensor as a matrix of the canonical order by these axes.
std::vector<float> canonical_floats(TensorInfo info, std::span<const std::byte> bytes,
                                    const std::vector<std::size_t>& axes) {
  std::vector<float> values(element_count(info.shape));
  if (axes.empty()) {
    to_float(bytes, info.dtype, values);
    return values;
  }
  info.layout.axes = axes;
  to_float(to_canonical(info, {bytes.begin(), bytes.end()}), info.dtype, values);
  return values;
}

// Measures the outputs of a tensor that has statistics.
void compare_outputs(const StatisticsReader& statistics, const TensorInfo& original_info,
                     std::span<const std::byte> original, std::span<const std::byte> reconstruction,
                     TensorReport& report) {
  const std::optional<TensorStatistics> found = statistics.read(original_info);
  if (!found) return;
  if (!report.compressed() && report.distortion->squared_error() == 0) {
    report.output_error.emplace();
    return;
  }
  const InputStatistics& inputs = found->inputs;
  const std::vector<float> w = canonical_floats(original_info, original, found->axes);
  const std::vector<float> w_hat = canonical_floats(report.info, reconstruction, found->axes);
  const auto [rows, cols] = matrix_shape(canonical_shape(original_info.shape, found->axes));
  report.output_error = measure_outputs({w.data(), rows, cols}, {w_hat.data(), rows, cols},
                                        {inputs.held_out.data(), inputs.n_held_out(), inputs.cols});
}

}  // namespace

Report inspect(const std::string& path, const ReadOptions& options) {
  if (is_archive(path)) return describe_archive(path, options);
  return describe_weights(*open_weights(path, options));
}

Report evaluate(const std::string& original, const std::string& compressed,
                const ReadOptions& options, const std::string& statistics) {
  std::optional<StatisticsReader> inputs;
  if (!statistics.empty()) inputs.emplace(statistics, options);
  const auto decoded = open_decoded(compressed, options);
  auto in_file = open_decoded(original, options);
  if (inputs) inputs->require_model(original, in_file->tensors());
  const auto source = adopted_as(original, std::move(in_file), *decoded);
  const auto source_index = index_by_name(*source);
  const auto decoded_index = index_by_name(*decoded);
  require_same_names(original, source_index, compressed, decoded_index);
  require_same_names(compressed, decoded_index, original, source_index);
  const bool from_archive = is_archive(compressed);
  Report report = from_archive ? describe_archive(compressed, options) : describe_weights(*decoded);
  report.skipped = source->skipped();
  for (std::size_t i = 0; i < report.tensors.size(); ++i) {
    TensorReport& tensor = report.tensors[i];
    const std::size_t j = source_index.at(tensor.info.name);
    const TensorInfo& info = source->tensors()[j];
    if (info.shape != tensor.info.shape) {
      throw tensor_subject(info.name).error("shape {} in {}, {} in {}", to_string(info.shape),
                                            original, to_string(tensor.info.shape), compressed);
    }
    const std::vector<std::byte> w = source->read(j), w_hat = decoded->read(i);
    compare(info, w, w_hat, from_archive, tensor);
    if (inputs) compare_outputs(*inputs, info, w, w_hat, tensor);
  }
  return report;
}

std::size_t verify(const std::string& archive, const ReadOptions& options) {
  require_archive(archive);
  verify_digest(archive);
  const ArchiveReader reader(archive, options);
  for (std::size_t i = 0; i < reader.entries().size(); ++i) {
    if (stored_index(reader, i) != i) continue;
    if (has_values(reader, i)) {
      read_values(reader, i);
    } else {
      read_compressed(reader, i);
    }
  }
  return reader.entries().size();
}

namespace {

void load(std::span<const std::byte> bytes, DType dtype, std::span<float> values) {
  to_float(bytes, dtype, values);
}

void load(std::span<const std::byte> bytes, DType dtype, std::span<double> values) {
  to_double(bytes, dtype, values);
}

// Computes in type T, which holds the values of both types.
template <class T>
Distortion measure_as(DType original_dtype, std::span<const std::byte> original,
                      DType reconstruction_dtype, std::span<const std::byte> reconstruction) {
  constexpr std::size_t kChunk = 1 << 14;  // elements per partial result
  const std::size_t width_a = size_in_bytes(original_dtype);
  const std::size_t width_b = size_in_bytes(reconstruction_dtype);
  const std::size_t count = original.size() / width_a;
  const Workers workers(count, 16);
  std::vector<T> scratch(2 * kChunk * workers.count());
  return workers.reduce_in_order(
      Division::by_length(count, kChunk), Distortion(),
      [&](const IndexRange& range, std::size_t worker, Distortion& partial) {
        const std::size_t begin = range.begin;
        const std::size_t n = range.end - begin;
        const std::span<T> a(scratch.data() + 2 * kChunk * worker, n);
        const std::span<T> b(a.data() + kChunk, n);
        load(original.subspan(begin * width_a, n * width_a), original_dtype, a);
        load(reconstruction.subspan(begin * width_b, n * width_b), reconstruction_dtype, b);
        partial.add(std::span<const T>(a), std::span<const T>(b));
      },
      [](Distortion& sum, const Distortion& partial) { sum.add(partial); });
}

}  // namespace

Distortion measure(DType original_dtype, std::span<const std::byte> original,
                   DType reconstruction_dtype, std::span<const std::byte> reconstruction) {
  const bool wide = original_dtype == DType::kF64 || reconstruction_dtype == DType::kF64;
  const auto measure = wide ? measure_as<double> : measure_as<float>;
  return measure(original_dtype, original, reconstruction_dtype, reconstruction);
}

}  // namespace pqw
