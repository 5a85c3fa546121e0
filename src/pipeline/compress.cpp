// Whole files: weights in, archive out.
#include "pqw/pipeline/compress.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>

#include "pipeline/adopting_reader.h"
#include "pipeline/kept_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/evaluate.h"
#include "pqw/pipeline/plan.h"
#include "pqw/pipeline/source.h"

namespace pqw {
namespace {

// What the tables of an archive take for one compressed tensor, about.
constexpr std::size_t kRecordOverheadBytes = 512;

constexpr char kWouldNotShrink[] = "would not shrink";
constexpr char kNotFinite[] = "holds NaN or infinity";

struct Input {
  std::unique_ptr<AdoptingReader> reader;
  std::vector<PlanEntry> plan;
  ArchiveWriterOptions archive_options;
};

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
  for (std::size_t i = 0; i < input.reader->tensors().size(); ++i) {
    input.plan.push_back(plan[input.reader->origin(i)]);
    input.plan.back().info = input.reader->tensors()[i];
  }
  input.archive_options.overwrite = overwrite;
  input.archive_options.metadata = input.reader->metadata();
  input.archive_options.n_tensors = input.plan.size();
  for (const PlanEntry& entry : input.plan) {
    input.archive_options.name_bytes += archive_name_bytes(entry.info.name);
  }
  return input;
}

std::uint64_t stored_bytes(const Weight& weight) { return (size_in_bits(weight) + 7) / 8; }

bool shrinks(const Weight& weight, const TensorInfo& info) {
  return stored_bytes(weight) + kRecordOverheadBytes < byte_count(info);
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

FloatTensor read_tensor(const WeightReader& reader, std::size_t index, const TensorInfo& info) {
  const TensorBytes bytes = reader.read(index);  // gone before the learning starts
  return read_floats(info, bytes.view());
}

// A compressed tensor and the options that made it: those of its entry, or the fallback.
struct Compressed {
  Weight weight;
  const CodecOptions* options;
};

// Empty when neither makes the tensor smaller.
std::optional<Compressed> compress_tensor(FloatTensor tensor, const PlanEntry& entry,
                                          EmObserver& observer) {
  const auto accepts = [&](const Weight& plan) { return shrinks(plan, entry.info); };
  if (!entry.fallback) {
    auto weight = encode_if(accepts, std::move(tensor), entry.options, &observer);
    if (!weight) return std::nullopt;
    return Compressed{std::move(*weight), &entry.options};
  }
  auto weight = encode_if(accepts, tensor, entry.options, &observer);
  if (weight) return Compressed{std::move(*weight), &entry.options};
  weight = encode_if(accepts, std::move(tensor), *entry.fallback, &observer);
  if (!weight) return std::nullopt;
  return Compressed{std::move(*weight), &*entry.fallback};
}

// A weight that is int8 already.
Compressed adopt(const AdoptingReader& reader, std::size_t index, const PlanEntry& entry) {
  Int8Weight weight = *reader.adopted(index);
  weight.activations = std::get<Int8Options>(entry.options).activations;
  return {std::move(weight), &entry.options};
}

constexpr const char* kAdopted = "adopted: int8 in the input";

// A tensor on its way from the input to the archive.
struct Job {
  std::size_t index;
  const PlanEntry* entry;
  std::optional<FloatTensor> tensor = {};
  std::optional<Compressed> compressed = {};  // when it is worth it
  std::optional<Record> record = {};          // of `compressed`, once it was kept or was found kept
  std::string reason = {};                    // why it is plain, beyond that of its entry
  std::exception_ptr error = {};
};

// Small tensors are encoded side by side, a thread each; a large one is encoded by all threads.
// Together the small ones hold no more blocks than this many floats.
constexpr std::size_t kSmallTensor = std::size_t{1} << 19;
constexpr std::size_t kBatch = std::size_t{1} << 22;

// The tensors first .. of the next batch.
std::vector<Job> next_batch(std::span<const PlanEntry> plan, std::size_t first) {
  std::vector<Job> batch;
  std::size_t n_weights = 0;
  for (std::size_t i = first; i < plan.size(); ++i) {
    const std::size_t count = plan[i].compress ? element_count(plan[i].info.shape) : 0;
    const bool fits = count <= kSmallTensor && n_weights + count <= kBatch;
    if (!batch.empty() && !fits) break;
    batch.push_back({i, &plan[i]});
    n_weights += count;
    if (!fits) break;
  }
  return batch;
}

// Passes iterations of several threads on, one at a time.
class SharedObserver : public EmObserver {
 public:
  explicit SharedObserver(EmObserver* observer) : observer_(observer) {}
  void on_iteration(const EmIteration& iteration) override {
    if (observer_ == nullptr) return;
    const std::lock_guard lock(mutex_);
    observer_->on_iteration(iteration);
  }

 private:
  EmObserver* observer_;
  std::mutex mutex_;
};

// Nothing leaves it: it runs inside of a parallel region.
void encode_job(Job& job, EmObserver& observer) noexcept {
  try {
    FloatTensor tensor = std::move(*job.tensor);
    job.tensor.reset();
    job.compressed = compress_tensor(std::move(tensor), *job.entry, observer);
  } catch (...) {
    job.error = std::current_exception();
  }
}

void read_job(const WeightReader& reader, Job& job) {
  try {
    job.tensor = read_tensor(reader, job.index, job.entry->info);
  } catch (const Error& error) {
    const bool is_policy = error.code() == ErrorCode::kNonFinite && job.entry->plain_if_not_finite;
    if (!is_policy) throw;
    job.reason = kNotFinite;
  }
}

void encode_batch(const WeightReader& reader, std::vector<Job>& batch, EmObserver* observer) {
  for (Job& job : batch) {
    if (job.entry->compress && !job.compressed) read_job(reader, job);
  }
  SharedObserver shared(observer);
#pragma omp parallel for schedule(dynamic, 1) if (batch.size() > 1)
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].tensor) encode_job(batch[i], shared);
  }
  for (const Job& job : batch) {
    if (job.error) std::rethrow_exception(job.error);
  }
}

std::string plain_reason(const Job& job) {
  if (!job.entry->compress) return job.entry->reason;
  return job.reason.empty() ? kWouldNotShrink : job.reason;
}

TensorReport write_job(const AdoptingReader& reader, Job& job, ArchiveWriter& writer) {
  const PlanEntry& entry = *job.entry;
  const TensorBytes original = reader.read(job.index);
  if (entry.reference) job.compressed = adopt(reader, job.index, entry);
  if (!job.compressed) {
    return add_plain(writer, entry.info, original, plain_reason(job));
  }
  const auto& [weight, options] = *job.compressed;
  writer.add(job.record ? *job.record : to_record(weight, entry.info.name));
  TensorReport report = codec_report(entry.info, weight, *options);
  if (entry.reference) report.note = kAdopted;
  report.distortion = measure_against(original, entry.info, weight);
  job.compressed.reset();
  job.record.reset();
  return report;
}

// Fills the jobs of a batch that an interrupted run has finished.
void take_kept(const std::vector<KeptTensor>& kept, std::vector<Job>& batch) {
  for (const KeptTensor& tensor : kept) {
    for (Job& job : batch) {
      if (job.index != tensor.index) continue;
      const CodecOptions& options =
          tensor.by_fallback ? job.entry->fallback.value() : job.entry->options;
      job.compressed = Compressed{weight_from_record(tensor.record), &options};
      job.record = tensor.record;
    }
  }
}

void keep(const KeptTensors& folder, const std::string& key, std::vector<Job>& batch) {
  std::vector<KeptTensor> tensors;
  for (Job& job : batch) {
    if (!job.compressed) continue;
    const bool by_fallback = job.compressed->options != &job.entry->options;
    tensors.push_back(
        {job.index, by_fallback, to_record(job.compressed->weight, job.entry->info.name)});
  }
  if (tensors.empty()) return;
  folder.save(key, tensors);
  std::size_t next = 0;
  for (Job& job : batch) {
    if (job.compressed) job.record = std::move(tensors[next++].record);
  }
}

// Encodes the tensors of a batch, or takes them from a part; keeps them unless they are the last.
void finish_batch(const WeightReader& reader, std::span<const PlanEntry> plan,
                  const KeptTensors& folder, Resume resume, std::vector<Job>& batch,
                  CompressObserver* observer) {
  const bool is_last = batch.back().index + 1 == plan.size();
  const bool has_work = std::ranges::any_of(batch, [](const Job& j) { return j.entry->compress; });
  const std::string key = has_work && !(is_last && resume == Resume::kNo)
                              ? key_of_part(reader, plan, batch.front().index, batch.size())
                              : "";
  if (resume == Resume::kYes && has_work) take_kept(folder.load(key), batch);
  const bool is_kept =
      std::ranges::any_of(batch, [](const Job& j) { return j.record.has_value(); });
  encode_batch(reader, batch, observer);
  if (!has_work || is_last || is_kept) return;
  keep(folder, key, batch);
  if (observer != nullptr) observer->on_kept(folder.folder());
}

// The plan of a tensor by its own options, else by the fallback, where that makes it smaller.
std::optional<Compressed> plan_tensor(const WeightReader& reader, std::size_t index,
                                      const PlanEntry& entry) {
  Compressed plan{plan_weight(read_tensor(reader, index, entry.info), entry.options),
                  &entry.options};
  if (!shrinks(plan.weight, entry.info) && entry.fallback) {
    plan = {plan_weight(read_tensor(reader, index, entry.info), *entry.fallback), &*entry.fallback};
  }
  if (!shrinks(plan.weight, entry.info)) return std::nullopt;
  return plan;
}

TensorReport size_tensor(const AdoptingReader& reader, std::size_t index, const PlanEntry& entry,
                         ArchiveSizer& sizer) {
  std::string reason = entry.reason;
  if (entry.reference) {
    const Compressed adopted = adopt(reader, index, entry);
    sizer.add(to_record(adopted.weight, entry.info.name));
    TensorReport report = codec_report(entry.info, adopted.weight, *adopted.options);
    report.note = kAdopted;
    return report;
  }
  if (entry.compress) {
    reason = kWouldNotShrink;
    try {
      if (const auto plan = plan_tensor(reader, index, entry)) {
        sizer.add(to_record(plan->weight, entry.info.name));
        return codec_report(entry.info, plan->weight, *plan->options);
      }
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kNonFinite || !entry.plain_if_not_finite) throw;
      reason = kNotFinite;
    }
  }
  sizer.add_plain(entry.info);
  return plain_report(entry.info, std::move(reason));
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
  while (report.tensors.size() < input.plan.size()) {
    std::vector<Job> batch = next_batch(input.plan, report.tensors.size());
    if (observer != nullptr) observer->on_tensor(batch.front().entry->info);
    finish_batch(*input.reader, input.plan, kept, resume, batch, observer);
    for (Job& job : batch) {
      report.tensors.push_back(write_job(*input.reader, job, writer));
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
  for (std::size_t i = 0; i < input.plan.size(); ++i) {
    report.tensors.push_back(size_tensor(*input.reader, i, input.plan[i], sizer));
  }
  report.file_bytes = sizer.finish();
  report.seconds = seconds_since(start);
  return report;
}

}  // namespace pqw
