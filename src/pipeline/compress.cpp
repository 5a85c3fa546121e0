// Whole files: weights in, archive out.
#include "pqw/pipeline/compress.h"

#include <fmt/format.h>

#include <chrono>
#include <optional>

#include "pqw/archive/archive.h"
#include "pqw/core/bit_packing.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/evaluate.h"
#include "pqw/pipeline/plan.h"
#include "pqw/pipeline/source.h"

namespace pqw {
namespace {

// What the tables of an archive take for one compressed tensor, about.
constexpr std::size_t kRecordOverheadBytes = 512;

struct Input {
  std::unique_ptr<WeightReader> reader;
  std::vector<PlanEntry> plan;
  ArchiveWriterOptions archive_options;
};

Input open_input(const std::string& path, const Recipe& recipe, bool overwrite) {
  if (is_archive(path)) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: is a pqw archive already", path));
  }
  Input input;
  input.reader = open_weights(path);
  input.plan = make_plan(input.reader->tensors(), recipe);
  input.archive_options.overwrite = overwrite;
  input.archive_options.metadata = input.reader->metadata();
  input.archive_options.n_tensors = input.plan.size();
  for (const PlanEntry& entry : input.plan) {
    input.archive_options.name_bytes += archive_name_bytes(entry.info.name);
  }
  return input;
}

// The weight that encode would make, without its values.
PqWeight empty_weight(const Blocks& blocks, const PqOptions& options) {
  const PqLayout layout = plan_layout(blocks, options);
  PqWeight weight;
  weight.shape = blocks.shape;
  weight.dtype = blocks.dtype;
  weight.block_size = blocks.block_size;
  weight.n_groups = layout.n_groups;
  weight.n_centroids = layout.n_centroids;
  weight.codebook_dtype = layout.codebook_dtype;
  weight.options = to_string(options);
  weight.codebooks.resize(layout.n_groups * layout.n_centroids * blocks.block_size);
  weight.codes.resize(blocks.count());
  return weight;
}

std::uint64_t stored_bytes(const PqWeight& weight) { return (size_in_bits(weight) + 7) / 8; }

bool shrinks(const PqWeight& weight, const TensorInfo& info) {
  return stored_bytes(weight) + kRecordOverheadBytes < byte_count(info);
}

TensorReport plain_report(const TensorInfo& info, std::string reason) {
  TensorReport report;
  report.info = info;
  report.note = std::move(reason);
  report.bytes = byte_count(info);
  return report;
}

TensorReport pq_report(const TensorInfo& info, const PqWeight& weight, const PqOptions& options) {
  TensorReport report;
  report.info = info;
  report.codec = "pq";
  report.block_size = weight.block_size;
  report.n_centroids = weight.n_centroids;
  report.bytes = stored_bytes(weight);
  if (weight.n_centroids < options.n_centroids) {
    report.note = fmt::format("only {} distinct blocks", weight.n_centroids);
  }
  if (weight.codebook_dtype != options.codebook_dtype) {
    report.note += fmt::format("{}float32 codebook: beyond the range of float16",
                               report.note.empty() ? "" : "; ");
  }
  return report;
}

// Compares what was stored with the original, in its own type.
Distortion measure_against(const TensorBytes& original, const TensorInfo& info,
                           const Weight& weight) {
  std::vector<std::byte> decoded(byte_count(info));
  decode_rows_to(weight, info.dtype, 0, info.shape[0], decoded);
  return measure(info.dtype, original.view(), info.dtype, decoded);
}

TensorReport add_plain(ArchiveWriter& writer, const TensorInfo& info, const TensorBytes& bytes,
                       std::string reason) {
  writer.add_plain(info, bytes.view());
  TensorReport report = plain_report(info, std::move(reason));
  report.distortion.emplace();
  return report;
}

Blocks read_blocks(const WeightReader& reader, std::size_t index, const PlanEntry& entry) {
  const TensorBytes bytes = reader.read(index);  // gone before the learning starts
  return cut_blocks(entry.info, bytes.view(), entry.options.block_size);
}

TensorReport compress_tensor(const WeightReader& reader, std::size_t index, const PlanEntry& entry,
                             ArchiveWriter& writer, EmObserver* observer) {
  if (!entry.compress) return add_plain(writer, entry.info, reader.read(index), entry.reason);
  std::optional<PqWeight> encoded;
  {
    const Blocks blocks = read_blocks(reader, index, entry);
    const bool worth_it = shrinks(empty_weight(blocks, entry.options), entry.info);
    if (worth_it) encoded = encode(blocks, entry.options, observer);
  }
  const TensorBytes original = reader.read(index);
  if (!encoded) return add_plain(writer, entry.info, original, "would not shrink");
  PqWeight& weight = *encoded;
  writer.add(to_record(weight, entry.info.name));
  TensorReport report = pq_report(entry.info, weight, entry.options);
  report.distortion = measure_against(original, entry.info, std::move(weight));
  return report;
}

TensorReport plan_tensor(const WeightReader& reader, std::size_t index, const PlanEntry& entry,
                         ArchiveSizer& sizer) {
  std::string reason = entry.reason;
  if (entry.compress) {
    const PqWeight weight = empty_weight(read_blocks(reader, index, entry), entry.options);
    if (shrinks(weight, entry.info)) {
      sizer.add(to_record(weight, entry.info.name));
      return pq_report(entry.info, weight, entry.options);
    }
    reason = "would not shrink";
  }
  sizer.add_plain(entry.info);
  return plain_report(entry.info, std::move(reason));
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Report compress(const std::string& input_path, const std::string& output, const Recipe& recipe,
                bool overwrite, CompressObserver* observer) {
  const auto start = std::chrono::steady_clock::now();
  const Input input = open_input(input_path, recipe, overwrite);
  Report report;
  report.skipped = input.reader->skipped();
  if (observer != nullptr) {
    std::size_t n_weights = 0;
    for (const PlanEntry& entry : input.plan) n_weights += element_count(entry.info.shape);
    observer->on_start(input.plan.size(), n_weights);
  }
  ArchiveWriter writer(output, input.archive_options);
  for (std::size_t i = 0; i < input.plan.size(); ++i) {
    if (observer != nullptr) observer->on_tensor(input.plan[i].info);
    report.tensors.push_back(compress_tensor(*input.reader, i, input.plan[i], writer, observer));
    if (observer != nullptr) observer->on_tensor_done(report.tensors.back());
  }
  report.file_bytes = writer.commit();
  report.seconds = seconds_since(start);
  return report;
}

Report plan_compression(const std::string& input_path, const Recipe& recipe) {
  const auto start = std::chrono::steady_clock::now();
  const Input input = open_input(input_path, recipe, true);
  Report report;
  report.skipped = input.reader->skipped();
  ArchiveSizer sizer(input.archive_options);
  for (std::size_t i = 0; i < input.plan.size(); ++i) {
    report.tensors.push_back(plan_tensor(*input.reader, i, input.plan[i], sizer));
  }
  report.file_bytes = sizer.finish();
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace pqw
