// Whole files: weights in, archive out.
#include "pqw/pipeline/compress.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>

#include "pipeline/adopting_reader.h"
#include "pipeline/candidate.h"
#include "pipeline/encode_batch.h"
#include "pipeline/joint_groups.h"
#include "pipeline/joint_layers.h"
#include "pipeline/kept_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/evaluate.h"
#include "pqw/pipeline/plan.h"
#include "pqw/pipeline/source.h"

namespace pqw {
namespace {

struct Input {
  std::unique_ptr<AdoptingReader> reader;
  std::vector<PlanEntry> plan;
  ArchiveWriterOptions archive_options;
};

// The entries of the tensors that the reader has; it leaves some of the file out.
std::vector<PlanEntry> plan_of(const AdoptingReader& reader, const std::vector<PlanEntry>& file) {
  std::map<std::size_t, std::size_t> index_of;  // by that in the file
  std::vector<PlanEntry> plan;
  for (std::size_t i = 0; i < reader.tensors().size(); ++i) {
    index_of[reader.origin(i)] = i;
    plan.push_back(file[reader.origin(i)]);
    plan.back().info = reader.tensors()[i];
  }
  for (PlanEntry& entry : plan) {
    for (std::size_t& layer : entry.layers) layer = index_of.at(layer);
  }
  return plan;
}

Input open_input(const std::string& path, const Recipe& recipe, bool overwrite) {
  if (is_archive(path)) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: is a pqw archive already", path));
  }
  Input input;
  auto file = open_weights(path);
  const std::vector<PlanEntry> plan = make_plan(file->tensors(), recipe);
  std::vector<Int8Reference> references;
  for (const PlanEntry& entry : plan) {
    if (entry.reference) references.push_back(*entry.reference);
  }
  input.reader = std::make_unique<AdoptingReader>(std::move(file), std::move(references));
  input.plan = plan_of(*input.reader, plan);
  input.archive_options.overwrite = overwrite;
  input.archive_options.metadata = input.reader->metadata();
  input.archive_options.n_tensors = input.plan.size();
  for (const PlanEntry& entry : input.plan) {
    input.archive_options.name_bytes += archive_name_bytes(entry.info.name);
  }
  return input;
}

TensorReport plain_report(const TensorInfo& info, std::string reason) {
  TensorReport report;
  report.info = info;
  report.note = std::move(reason);
  report.bytes = byte_count(info);
  report.n_parameters = element_count(info.shape);
  return report;
}

TensorReport codec_report(const TensorInfo& info, const Weight& weight,
                          const CodecOptions& options) {
  TensorReport report;
  report.info = info;
  report.codec = codec_name(options);
  report.note = remarks_on(weight, options);
  report.bytes = stored_bytes(weight);
  describe(weight, report);
  return report;
}

// What the plan says of the options comes first, where it was they that made the weight.
TensorReport codec_report(const PlanEntry& entry, const Weight& weight,
                          const CodecOptions& options) {
  TensorReport report = codec_report(entry.info, weight, options);
  if (&options != &entry.options || entry.note.empty()) return report;
  report.note = entry.note + (report.note.empty() ? "" : "; " + report.note);
  return report;
}

// Joint layers are reported with a share of what their owner stores; it has the remainder.
TensorReport layer_report(const PlanEntry& entry, std::size_t index, const JointGroups& groups) {
  TensorReport report = codec_report(entry.info, groups.weight(index), entry.options);
  const std::uint64_t all_bytes = report.bytes;
  report.bytes /= entry.layers.size();
  if (owns_layers(entry, index))
    report.bytes = all_bytes - report.bytes * (entry.layers.size() - 1);
  report.note = groups.note(index) + (report.note.empty() ? "" : "; " + report.note);
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

// A weight that is int8 already.
Compressed adopt(const AdoptingReader& reader, std::size_t index, const PlanEntry& entry) {
  Int8Weight weight = *reader.adopted(index);
  weight.activations = std::get<Int8Options>(entry.options).activations;
  return {std::move(weight), &entry.options};
}

constexpr const char* kAdopted = "adopted: int8 in the input";

std::string plain_reason(const Job& job) {
  if (!job.entry->compress) return job.entry->reason;
  return job.reason.empty() ? kWouldNotShrink : job.reason;
}

TensorReport write_layer(const TensorBytes& original, const Job& job, const JointGroups& groups,
                         ArchiveWriter& writer) {
  writer.add(groups.record(job.index));
  TensorReport report = layer_report(*job.entry, job.index, groups);
  report.distortion = measure_against(original, job.entry->info, groups.weight(job.index));
  return report;
}

TensorReport write_job(const AdoptingReader& reader, Job& job, const JointGroups& groups,
                       ArchiveWriter& writer) {
  const PlanEntry& entry = *job.entry;
  const TensorBytes original = reader.read(job.index);
  if (groups.shares(job.index)) return write_layer(original, job, groups, writer);
  if (entry.reference) job.compressed = adopt(reader, job.index, entry);
  if (!job.compressed) {
    return add_plain(writer, entry.info, original, plain_reason(job));
  }
  const auto& [weight, options] = *job.compressed;
  writer.add(job.record ? *job.record : to_record(weight, entry.info.name));
  TensorReport report = codec_report(entry, weight, *options);
  if (entry.reference) report.note = kAdopted;
  report.distortion = measure_against(original, entry.info, weight);
  job.compressed.reset();
  job.record.reset();
  return report;
}

TensorReport size_compressed(const PlanEntry& entry, const Compressed& plan, ArchiveSizer& sizer) {
  sizer.add(to_record(plan.weight, entry.info.name));
  return codec_report(entry, plan.weight, *plan.options);
}

TensorReport size_plain(const TensorInfo& info, std::string reason, ArchiveSizer& sizer) {
  sizer.add_plain(info);
  return plain_report(info, std::move(reason));
}

// A tensor that is to be compressed: by its own options, else by the fallback, where that makes it
// smaller.
TensorReport size_candidate(const WeightReader& reader, std::size_t index, const PlanEntry& entry,
                            const JointGroups& groups, ArchiveSizer& sizer) {
  auto tensor = read_finite(reader, index, entry);
  if (!tensor) return size_plain(entry.info, kNotFinite, sizer);
  const std::string refusal = groups.refusal(index);
  if (refusal.empty()) {
    const Compressed plan{plan_weight(std::move(*tensor), entry.options), &entry.options};
    if (shrinks(plan.weight, entry.info)) return size_compressed(entry, plan, sizer);
    tensor = entry.fallback ? read_finite(reader, index, entry) : std::nullopt;
  }
  if (entry.fallback) {
    const Compressed plan{plan_weight(std::move(*tensor), *entry.fallback), &*entry.fallback};
    if (shrinks(plan.weight, entry.info)) return size_compressed(entry, plan, sizer);
  }
  return size_plain(entry.info, refusal.empty() ? kWouldNotShrink : refusal, sizer);
}

TensorReport size_tensor(const AdoptingReader& reader, std::size_t index, const PlanEntry& entry,
                         JointGroups& groups, ArchiveSizer& sizer) {
  if (entry.reference) {
    TensorReport report = size_compressed(entry, adopt(reader, index, entry), sizer);
    report.note = kAdopted;
    return report;
  }
  if (!entry.compress) return size_plain(entry.info, entry.reason, sizer);
  if (owns_layers(entry, index)) groups.decide(reader, index, nullptr);
  if (!groups.shares(index)) return size_candidate(reader, index, entry, groups, sizer);
  sizer.add(groups.record(index));
  return layer_report(entry, index, groups);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Report compress(const std::string& input_path, const std::string& output, const Recipe& recipe,
                bool overwrite, CompressObserver* observer, Resume resume) {
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
  const KeptTensors kept(output);
  JointGroups groups(input.plan);
  while (report.tensors.size() < input.plan.size()) {
    std::vector<Job> batch = next_batch(input.plan, report.tensors.size());
    if (observer != nullptr) observer->on_tensor(batch.front().entry->info);
    finish_batch(*input.reader, input.plan, kept, resume, groups, batch, observer);
    for (Job& job : batch) {
      report.tensors.push_back(write_job(*input.reader, job, groups, writer));
      groups.close(job.index);
      if (observer != nullptr) observer->on_tensor_done(report.tensors.back());
    }
  }
  report.file_bytes = writer.commit();
  kept.remove();
  report.seconds = seconds_since(start);
  return report;
}

Report plan_compression(const std::string& input_path, const Recipe& recipe) {
  const auto start = std::chrono::steady_clock::now();
  const Input input = open_input(input_path, recipe, true);
  Report report;
  report.skipped = input.reader->skipped();
  ArchiveSizer sizer(input.archive_options);
  JointGroups groups(input.plan);
  for (std::size_t i = 0; i < input.plan.size(); ++i) {
    report.tensors.push_back(size_tensor(*input.reader, i, input.plan[i], groups, sizer));
    groups.close(i);
  }
  report.file_bytes = sizer.finish();
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace pqw
