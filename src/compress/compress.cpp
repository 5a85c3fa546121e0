// Whole files: weights in, archive out.
#include "pqw/compress/compress.h"

#include <fmt/format.h>

#include <chrono>
#include <map>
#include <optional>
#include <utility>

#include "compress/aliases.h"
#include "compress/archive_output.h"
#include "compress/candidate.h"
#include "compress/encode_batch.h"
#include "compress/joint_groups.h"
#include "compress/joint_layers.h"
#include "compress/kept_tensors.h"
#include "pipeline/adopting_reader.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/alias.h"
#include "pqw/codecs/carried.h"
#include "pqw/compress/plan.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/evaluate.h"

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

// Throws if the file has no tensor, or has numbers outside its tensors that must not be left out.
void require_all(const std::string& path, const WeightReader& file, bool skip_unsupported) {
  std::vector<Skipped> lost = file.skipped();
  std::erase_if(lost, [](const Skipped& skipped) { return !skipped.has_numbers; });
  if (!lost.empty() && !skip_unsupported) {
    throw Error(ErrorCode::kNotCarried,
                fmt::format("{}: {}, which cannot be carried{}", path, to_string(lost.front()),
                            lost.size() == 1 ? "" : fmt::format("; {} more", lost.size() - 1)));
  }
  if (file.tensors().empty()) {
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("{}: holds no tensor{}", path,
                    file.skipped().empty() ? "" : ": " + to_string(file.skipped().front())));
  }
}

// Marks the entries that equal another one as aliases.
void take_aliases(const WeightReader& reader, std::span<PlanEntry> plan) {
  const auto aliases = find_aliases(reader, plan);
  for (std::size_t i = 0; i < plan.size(); ++i) {
    if (!aliases[i]) continue;
    plan[i].same_as = aliases[i];
    plan[i].compress = false;
    plan[i].reason = same_as(plan[*aliases[i]].info.name);
  }
}

Input open_input(const std::string& path, const Recipe& recipe, bool overwrite,
                 const ReadOptions& options) {
  if (is_archive(path)) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: is a pqw archive already; decode it first", path));
  }
  Input input;
  auto file = open_weights(path, options);
  require_all(path, *file, recipe.skip_unsupported);
  const std::vector<PlanEntry> plan = make_plan(file->tensors(), recipe);
  std::vector<Int8Reference> references;
  for (const PlanEntry& entry : plan) {
    if (entry.reference) references.push_back(*entry.reference);
  }
  input.reader = std::make_unique<AdoptingReader>(path, std::move(file), std::move(references));
  input.plan = plan_of(*input.reader, plan);
  take_aliases(*input.reader, input.plan);
  input.archive_options.overwrite = overwrite;
  input.archive_options.metadata = input.reader->metadata();
  for (const PlanEntry& entry : input.plan) input.archive_options.names.push_back(entry.info.name);
  return input;
}

TensorReport plain_report(const TensorInfo& info, std::string reason) {
  TensorReport report;
  report.info = info;
  report.note = std::move(reason);
  report.exact = !is_basic(info.dtype);
  if (report.exact) report.codec = kCarriedCodec;
  report.bytes = byte_count(info);
  report.n_parameters = element_count(info.shape);
  return report;
}

// `target` is the report of the target of the alias.
TensorReport alias_report(const PlanEntry& entry, const TensorReport& target) {
  TensorReport report;
  report.info = entry.info;
  report.codec = kAliasCodec;
  report.exact = !target.compressed();
  report.note = entry.reason;
  report.bytes = target.info.name.size();
  report.distortion = target.distortion;
  return report;
}

// Of a tensor whose record takes those bytes.
TensorReport codec_report(const TensorInfo& info, const Weight& weight, const CodecOptions& options,
                          std::uint64_t bytes) {
  TensorReport report;
  report.info = info;
  report.codec = codec_name(options);
  report.note = remarks_on(weight, options);
  report.bytes = bytes;
  describe(weight, report);
  return report;
}

// The note of the plan about the options comes first, if these options made the weight.
TensorReport codec_report(const PlanEntry& entry, const Weight& weight, const CodecOptions& options,
                          std::uint64_t bytes) {
  TensorReport report = codec_report(entry.info, weight, options, bytes);
  if (&options != &entry.options || entry.note.empty()) return report;
  report.note = entry.note + (report.note.empty() ? "" : "; " + report.note);
  return report;
}

// Adds a record to a writer or a sizer and returns its size in bytes.
template <class To>
std::uint64_t add(const Record& record, To& to) {
  to.add(record);
  return data_bytes(record);
}

// The owner of joint layers stores their factors; the other layers store the name of the owner.
template <class To>
TensorReport add_layer(const PlanEntry& entry, std::size_t index, const JointGroups& groups,
                       To& to) {
  TensorReport report =
      codec_report(entry.info, groups.weight(index), entry.options, add(groups.record(index), to));
  report.note = groups.note(index) + (report.note.empty() ? "" : "; " + report.note);
  return report;
}

TensorReport add_plain(ArchiveWriter& writer, const TensorInfo& info,
                       const std::vector<std::byte>& bytes, std::string reason) {
  if (is_basic(info.dtype)) {
    writer.add_plain(info, bytes);
  } else {
    writer.add(carried_record(info, bytes));
  }
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

// `reason` is empty if the faults are the only reason, or if the tensor just would not shrink.
std::string plain_reason(std::string reason, const std::vector<std::string>& faults) {
  std::vector<std::string> reasons = faults;
  if (!reason.empty()) reasons.insert(reasons.begin(), std::move(reason));
  return reasons.empty() ? kWouldNotShrink : fmt::format("{}", fmt::join(reasons, "; "));
}

// Faults of earlier attempts come before the rest of the note.
void note_faults(const std::vector<std::string>& faults, TensorReport& report) {
  if (faults.empty()) return;
  report.note =
      fmt::format("{}{}{}", fmt::join(faults, "; "), report.note.empty() ? "" : "; ", report.note);
}

TensorReport write_layer(const Job& job, const JointGroups& groups, ArchiveWriter& writer) {
  TensorReport report = add_layer(*job.entry, job.index, groups, writer);
  report.distortion = groups.distortion(job.index);
  return report;
}

TensorReport write_job(const AdoptingReader& reader, Job& job, const JointGroups& groups,
                       std::span<const TensorReport> done, ArchiveWriter& writer) {
  const PlanEntry& entry = *job.entry;
  if (entry.same_as) {
    writer.add(alias_record(entry.info, done[*entry.same_as].info.name));
    return alias_report(entry, done[*entry.same_as]);
  }
  if (groups.shares(job.index)) return write_layer(job, groups, writer);
  if (entry.reference) {
    job.compressed = adopt(reader, job.index, entry);
    job.distortion = measure_stored(reader.read(job.index), entry.info, job.compressed->weight);
  }
  if (!job.compressed) {
    return add_plain(writer, entry.info, reader.read(job.index),
                     entry.compress ? plain_reason(job.reason, job.faults) : entry.reason);
  }
  const auto& [weight, options] = *job.compressed;
  const std::uint64_t bytes =
      job.record ? add(*job.record, writer) : add(to_record(weight, entry.info.name), writer);
  TensorReport report = codec_report(entry, weight, *options, bytes);
  if (entry.reference) report.note = kAdopted;
  note_faults(job.faults, report);
  report.distortion = job.distortion;
  job.compressed.reset();
  job.record.reset();
  return report;
}

TensorReport size_compressed(const PlanEntry& entry, const Compressed& plan, ArchiveSizer& sizer) {
  const std::uint64_t bytes = add(to_record(plan.weight, entry.info.name), sizer);
  return codec_report(entry, plan.weight, *plan.options, bytes);
}

TensorReport size_plain(const TensorInfo& info, std::string reason, ArchiveSizer& sizer) {
  if (is_basic(info.dtype)) {
    sizer.add_plain(info);
  } else {
    sizer.add(carried_record(info, {}));
  }
  return plain_report(info, std::move(reason));
}

// A tensor that is to be compressed: by its own options, else by the fallback, where that makes it
// smaller.
TensorReport size_candidate(const WeightReader& reader, std::size_t index, const PlanEntry& entry,
                            const JointGroups& groups, ArchiveSizer& sizer) {
  Candidate candidate = read_candidate(reader, index, entry);
  if (!candidate.tensor) return size_plain(entry.info, candidate.reason, sizer);
  const std::string refusal = groups.refusal(index);
  std::vector<std::string> faults;
  std::optional<Compressed> plan;
  const auto attempt = [&](const CodecOptions& options) {
    if (!candidate.tensor) candidate = read_candidate(reader, index, entry);
    auto weight = preview(reader, index, *std::exchange(candidate.tensor, {}), options, faults);
    if (weight) plan = Compressed{std::move(*weight), &options};
  };
  if (refusal.empty()) attempt(entry.options);
  if (!plan && entry.fallback) attempt(*entry.fallback);
  if (!plan) return size_plain(entry.info, plain_reason(refusal, faults), sizer);
  TensorReport report = size_compressed(entry, *plan, sizer);
  note_faults(faults, report);
  return report;
}

// The layers of an owner. They are learned even if the plan has their size: joint factors may lose
// a layer that is faint or unlike the others.
void preview_layers(const WeightReader& reader, std::size_t index, const PlanEntry& entry,
                    JointGroups& groups) {
  std::vector<FloatTensor> layers;
  groups.decide(reader, index, &layers);
  if (!groups.shares(index)) return;
  const auto& options = std::get<TensorizedOptions>(entry.options);
  groups.settle(reader, index, encode_joint(layers, options).front());
}

TensorReport size_tensor(const AdoptingReader& reader, std::size_t index, const PlanEntry& entry,
                         JointGroups& groups, std::span<const TensorReport> done,
                         ArchiveSizer& sizer) {
  if (entry.same_as) {
    sizer.add(alias_record(entry.info, done[*entry.same_as].info.name));
    return alias_report(entry, done[*entry.same_as]);
  }
  if (entry.reference) {
    TensorReport report = size_compressed(entry, adopt(reader, index, entry), sizer);
    report.note = kAdopted;
    return report;
  }
  if (!entry.compress) return size_plain(entry.info, entry.reason, sizer);
  if (owns_layers(entry, index)) preview_layers(reader, index, entry, groups);
  if (!groups.shares(index)) return size_candidate(reader, index, entry, groups, sizer);
  return add_layer(entry, index, groups, sizer);
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Report compress(const std::string& input_path, const std::string& output, const Recipe& recipe,
                bool overwrite, CompressObserver* observer, Resume resume,
                const ReadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  check_archive_output(input_path, recipe, output);
  const Input input = open_input(input_path, recipe, overwrite, options);
  Report report;
  report.skipped = input.reader->skipped();
  if (observer != nullptr) {
    std::size_t n_weights = 0;
    for (const PlanEntry& entry : input.plan) n_weights += element_count(entry.info.shape);
    observer->on_start(input.plan.size(), n_weights);
  }
  ArchiveWriter writer(output, input.archive_options);
  KeptTensors kept(output, options);
  if (resume == Resume::kYes) kept.require_folder();
  JointGroups groups(input.plan);
  while (report.tensors.size() < input.plan.size()) {
    std::vector<Job> batch = next_batch(input.plan, report.tensors.size());
    if (observer != nullptr) observer->on_tensor(batch.front().entry->info);
    finish_batch(*input.reader, input.plan, kept, resume, groups, batch, observer);
    for (Job& job : batch) {
      report.tensors.push_back(write_job(*input.reader, job, groups, report.tensors, writer));
      groups.close(job.index);
      if (observer != nullptr) observer->on_tensor_done(report.tensors.back());
    }
  }
  report.file_bytes = writer.commit();
  kept.remove();
  report.seconds = seconds_since(start);
  return report;
}

Report plan_compression(const std::string& input_path, const Recipe& recipe,
                        const std::string& output, const ReadOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  check_archive_output(input_path, recipe, output);
  const Input input = open_input(input_path, recipe, true, options);
  Report report;
  report.skipped = input.reader->skipped();
  ArchiveSizer sizer(input.archive_options, output.empty() ? "the archive" : output);
  JointGroups groups(input.plan);
  for (std::size_t i = 0; i < input.plan.size(); ++i) {
    report.tensors.push_back(
        size_tensor(*input.reader, i, input.plan[i], groups, report.tensors, sizer));
    groups.close(i);
  }
  report.file_bytes = sizer.finish();
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace pqw
