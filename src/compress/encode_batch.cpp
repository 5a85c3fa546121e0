// Encoding tensors in batches, or taking them from what an interrupted run kept.
#include "compress/encode_batch.h"

#include <algorithm>
#include <mutex>

#include "compress/candidate.h"
#include "compress/joint_layers.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// Small tensors are encoded side by side, a thread each; a large one is encoded by all threads.
// Together the small ones hold no more blocks than this many floats.
constexpr std::size_t kSmallTensor = std::size_t{1} << 19;
constexpr std::size_t kBatch = std::size_t{1} << 22;

// What a job holds in memory at most. An owner holds all layers; each counts again in its own
// place, where it is encoded if the group turns out to be none.
std::size_t held_weights(const PlanEntry& entry, std::size_t index) {
  if (!entry.compress) return 0;
  const std::size_t n_layers = owns_layers(entry, index) ? entry.layers.size() : 1;
  return n_layers * element_count(entry.info.shape);
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

// Empty when neither the options, which may be left out, nor the fallback makes the tensor smaller.
std::optional<Compressed> compress_tensor(FloatTensor tensor, const PlanEntry& entry,
                                          bool fallback_only, EmObserver& observer) {
  const auto accepts = [&](const Weight& plan) { return shrinks(plan, entry.info); };
  if (!fallback_only) {
    auto weight = entry.fallback ? encode_if(accepts, tensor, entry.options, &observer)
                                 : encode_if(accepts, std::move(tensor), entry.options, &observer);
    if (weight) return Compressed{std::move(*weight), &entry.options};
  }
  if (!entry.fallback) return std::nullopt;
  auto weight = encode_if(accepts, std::move(tensor), *entry.fallback, &observer);
  if (!weight) return std::nullopt;
  return Compressed{std::move(*weight), &*entry.fallback};
}

Compressed compress_layers(std::vector<FloatTensor> layers, const PlanEntry& entry,
                           EmObserver& observer) {
  const auto& options = std::get<TensorizedOptions>(entry.options);
  return {encode_joint(layers, options, &observer).front(), &entry.options};
}

// Nothing leaves it: it runs inside of a parallel region.
void encode_job(Job& job, const JointGroups& groups, EmObserver& observer) noexcept {
  try {
    if (!job.layers.empty()) {
      job.compressed = compress_layers(std::move(job.layers), *job.entry, observer);
      job.layers.clear();
      return;
    }
    FloatTensor tensor = std::move(*job.tensor);
    job.tensor.reset();
    const bool fallback_only = !groups.refusal(job.index).empty() || !job.faults.empty();
    job.compressed = compress_tensor(std::move(tensor), *job.entry, fallback_only, observer);
  } catch (...) {
    job.error = std::current_exception();
  }
}

bool has_work(const Job& job, const JointGroups& groups) {
  return job.entry->compress && !job.settled && !groups.shares(job.index);
}

void read_job(const WeightReader& reader, JointGroups& groups, Job& job) {
  // Also if the fallback of this layer was kept: other layers ask about the group.
  if (owns_layers(*job.entry, job.index) && groups.refusal(job.index).empty()) {
    groups.decide(reader, job.index, &job.layers);
    if (groups.shares(job.index)) {
      job.compressed.reset();
      job.record.reset();
    }
  }
  if (groups.shares(job.index)) return;
  job.tried = true;
  if (job.compressed) return;
  Candidate candidate = read_candidate(reader, job.index, *job.entry);
  job.reason = candidate.tensor ? groups.refusal(job.index) : candidate.reason;
  job.tensor = std::move(candidate.tensor);
}

void encode_batch(const WeightReader& reader, JointGroups& groups, std::vector<Job>& batch,
                  EmObserver* observer) {
  for (Job& job : batch) {
    if (has_work(job, groups)) read_job(reader, groups, job);
  }
  SharedObserver shared(observer);
#pragma omp parallel for schedule(dynamic, 1) if (batch.size() > 1)
  for (std::size_t i = 0; i < batch.size(); ++i) {
    if (batch[i].tensor || !batch[i].layers.empty()) encode_job(batch[i], groups, shared);
  }
  for (const Job& job : batch) {
    if (job.error) std::rethrow_exception(job.error);
  }
}

// The owner gives its weight to the other layers.
bool is_shared(const Job& job) {
  return owns_layers(*job.entry, job.index) && job.compressed &&
         job.compressed->options == &job.entry->options;
}

// Takes the encoded weight, or leaves the job for its fallback or plain.
void settle_job(const WeightReader& reader, JointGroups& groups, Job& job) {
  if (is_shared(job)) {
    groups.settle(reader, job.index, std::get<TensorizedWeight>(job.compressed->weight));
    job.settled = groups.shares(job.index);
    if (!job.settled) job.compressed.reset();
    return;
  }
  if (!job.tried) return;
  job.tried = false;
  job.settled = true;
  if (!job.compressed) return;
  const auto& [weight, options] = *job.compressed;
  job.distortion = measure_stored(reader.read(job.index), job.entry->info, weight);
  const std::string fault = fault_of(*job.distortion, *options);
  if (fault.empty()) return;
  job.faults.push_back(fault);
  job.settled = options != &job.entry->options || !job.entry->fallback;
  job.compressed.reset();
  job.record.reset();
}

// Encodes the rest of a batch until each of its tensors is taken or stays plain.
void settle_batch(const WeightReader& reader, JointGroups& groups, std::vector<Job>& batch,
                  EmObserver* observer) {
  for (Job& job : batch) {
    if (is_shared(job)) settle_job(reader, groups, job);  // it was kept
  }
  while (std::ranges::any_of(batch, [&](const Job& job) { return has_work(job, groups); })) {
    encode_batch(reader, groups, batch, observer);
    for (Job& job : batch) settle_job(reader, groups, job);
  }
}

// Fills the jobs of a batch that an interrupted run has finished. A layer of a group that did not
// share factors then may do so now.
void take_kept(std::vector<KeptTensor> kept, const JointGroups& groups, std::vector<Job>& batch) {
  for (KeptTensor& tensor : kept) {
    for (Job& job : batch) {
      if (job.index != tensor.index || groups.shares(job.index)) continue;
      const CodecOptions& options =
          tensor.by_fallback ? job.entry->fallback.value() : job.entry->options;
      job.compressed = Compressed{weight_from_record(tensor.record), &options};
      job.record = std::move(tensor.record);
    }
  }
}

// Saves a part. Nobody asked for it unless the run resumes another: then it is no reason to fail.
void save(KeptTensors& folder, const std::string& key, std::span<const KeptTensor> tensors,
          Resume resume, CompressObserver* observer) {
  try {
    folder.save(key, tensors);
  } catch (const Error& error) {
    if (resume == Resume::kYes) throw;
    folder.give_up();
    if (observer != nullptr) observer->on_not_kept(error.what());
    return;
  }
  if (observer != nullptr) observer->on_kept(folder.folder());
}

void keep(KeptTensors& folder, const std::string& key, Resume resume, std::vector<Job>& batch,
          CompressObserver* observer) {
  std::vector<KeptTensor> tensors;
  for (Job& job : batch) {
    if (!job.compressed) continue;
    const bool by_fallback = job.compressed->options != &job.entry->options;
    tensors.push_back(
        {job.index, by_fallback, to_record(job.compressed->weight, job.entry->info.name)});
  }
  if (tensors.empty()) return;
  save(folder, key, tensors, resume, observer);
  std::size_t next = 0;
  for (Job& job : batch) {
    if (job.compressed) job.record = std::move(tensors[next++].record);
  }
}

}  // namespace

std::vector<Job> next_batch(std::span<const PlanEntry> plan, std::size_t first) {
  std::vector<Job> batch;
  std::size_t n_weights = 0;
  for (std::size_t i = first; i < plan.size(); ++i) {
    const std::size_t count = held_weights(plan[i], i);
    const bool fits = count <= kSmallTensor && n_weights + count <= kBatch;
    if (!batch.empty() && !fits) break;
    batch.push_back({i, &plan[i]});
    n_weights += count;
    if (!fits) break;
  }
  return batch;
}

void finish_batch(const WeightReader& reader, std::span<const PlanEntry> plan, KeptTensors& folder,
                  Resume resume, JointGroups& groups, std::vector<Job>& batch,
                  CompressObserver* observer) {
  const bool is_last = batch.back().index + 1 == plan.size();
  const bool is_work =
      std::ranges::any_of(batch, [&](const Job& job) { return has_work(job, groups); });
  const bool has_part = is_work && !folder.has_given_up() && !(is_last && resume == Resume::kNo);
  const std::string key =
      has_part ? key_of_part(reader, plan, batch.front().index, batch.size()) : "";
  if (resume == Resume::kYes && is_work) take_kept(folder.load(key), groups, batch);
  const bool is_kept =
      std::ranges::any_of(batch, [](const Job& j) { return j.record.has_value(); });
  settle_batch(reader, groups, batch, observer);
  if (!has_part || is_last || is_kept) return;
  keep(folder, key, resume, batch, observer);
}

}  // namespace pqw
