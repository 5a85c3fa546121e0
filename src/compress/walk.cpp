// Goes through the items of a plan in the order of the file.
#include "compress/walk.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <utility>

#include "compress/aliases.h"
#include "core/parallel.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// Together, small tensors hold no more than this many floats or as many bytes.
constexpr std::size_t kSmallTensor = std::size_t{1} << 19;
constexpr std::size_t kBatch = std::size_t{1} << 22;

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

// An item on its way from the input to the archive.
struct Task {
  WorkItem item;
  std::vector<Source> sources = {};
  std::vector<StoredTensor> stored = {};
};

// What the tensors of an item take in memory, in floats.
std::size_t floats_in(const WeightReader& reader, const WorkItem& item) {
  std::size_t n = 0;
  for (const std::size_t i : item.tensors) {
    const TensorInfo& info = reader.tensors()[i];
    n += std::max(element_count(info.shape), byte_count(info) / sizeof(float));
  }
  return n;
}

bool has_work(const Task& task) { return std::holds_alternative<Encode>(task.item.action); }

class Walk {
 public:
  Walk(const WeightReader& reader, std::span<const WorkItem> plan, const WalkOptions& options,
       const std::function<void(const StoredTensor&)>& store)
      : reader_(reader), options_(options), store_(store), aliases_(reader, plan) {}

  std::vector<TensorReport> run(std::vector<WorkItem> plan) {
    for (std::size_t next = 0; next < plan.size();) {
      std::vector<Task> batch = next_batch(plan, next);
      is_last_ = next == plan.size();
      if (options_.observer != nullptr) options_.observer->on_tensor(batch[0].sources[0].info());
      finish(batch);
      for (Task& task : batch) collect(task);
      store_before(is_last_ ? reader_.tensors().size() : std::ranges::min(plan[next].tensors));
    }
    std::vector<TensorReport> reports;
    for (auto& [index, report] : reports_) reports.push_back(std::move(report));
    return reports;
  }

 private:
  std::vector<Task> next_batch(std::vector<WorkItem>& plan, std::size_t& next) {
    std::vector<Task> batch;
    for (const std::size_t end = end_of_batch(reader_, plan, next); next < end; ++next) {
      batch.push_back({std::move(plan[next])});
      batch.back().sources = sources_of(reader_, batch.back().item);
    }
    return batch;
  }

  void finish(std::vector<Task>& batch) {
    for (Task& task : batch) {
      const auto target = aliases_.find(task.item, task.sources.front());
      if (target) task.item.action = Alias{*target};
    }
    std::vector<Task*> work;
    for (Task& task : batch) {
      if (has_work(task)) work.push_back(&task);
    }
    const bool resumes = options_.resume && !work.empty();
    const bool taken = resumes && take(work);
    const bool keeps = keeps_now();
    SharedObserver observer(options_.observer);
    Workers(batch.size() > 1)
        .for_ranges(Division::by_length(batch.size(), 1),
                    [&](const IndexRange& range, std::size_t) {
                      Task& task = batch[range.index];
                      if (!std::holds_alternative<Alias>(task.item.action) && task.stored.empty()) {
                        task.stored = process(task.item, task.sources, options_.mode, options_.path,
                                              {&observer, options_.statistics});
                      }
                      // The other tensors of the batch are still to come; what is kept needs the digest.
                      for (Source& source : task.sources) {
                        if (keeps && has_work(task)) (void)source.digest();
                        source.release();
                      }
                    });
    if (!taken && !work.empty()) keep(work);
  }

  std::string key_of(const std::vector<Task*>& work) const {
    PartKey key;
    for (Task* task : work) {
      key.add(task->item, task->sources);
      for (const Source& source : task->sources) {
        if (options_.statistics == nullptr) break;
        if (const auto inputs = options_.statistics->inputs_of(source.info())) key.add(*inputs);
      }
    }
    return key.finish();
  }

  // Takes what an interrupted run stored of these items, if it kept all of it.
  bool take(const std::vector<Task*>& work) const {
    auto kept = options_.checkpoint->load(key_of(work));
    if (!kept) return false;
    auto next = kept->begin();
    std::vector<std::vector<StoredTensor>> stored(work.size());
    for (std::size_t i = 0; i < work.size(); ++i) {
      for (const Source& source : work[i]->sources) {
        if (next == kept->end() || next->info != source.info()) return false;
        stored[i].push_back(std::move(*next++));
      }
    }
    for (std::size_t i = 0; i < work.size(); ++i) work[i]->stored = std::move(stored[i]);
    return true;
  }

  // Whether finished tensors are to be kept. The last ones are not: the output follows at once.
  bool keeps_now() const {
    if (options_.checkpoint == nullptr || is_last_ || has_given_up_) return false;
    return options_.resume || options_.is_long();
  }

  // A batch in which the run becomes long is read again for its key.
  void keep(const std::vector<Task*>& work) {
    if (!keeps_now()) return;
    std::vector<StoredTensor> stored;
    for (const Task* task : work) {
      stored.insert(stored.end(), task->stored.begin(), task->stored.end());
    }
    try {
      options_.checkpoint->save(key_of(work), stored);
    } catch (const Error& error) {
      if (options_.resume) throw;
      has_given_up_ = true;
      options_.checkpoint->remove();
      if (options_.observer != nullptr) options_.observer->on_not_kept(error.what());
      return;
    }
    if (options_.observer != nullptr) options_.observer->on_kept(options_.checkpoint->folder());
  }

  // Leaves what was made of a task to store_before.
  void collect(Task& task) {
    if (const auto* alias = std::get_if<Alias>(&task.item.action)) {
      task.stored.push_back(alias_of(reports_.at(alias->target), task.sources.front().info()));
      if (task.item.has_bias) {
        WorkItem bias{{task.item.tensors[1]},
                      Keep{bias_kept("its weight is stored once, for several layers")},
                      {}};
        const auto rest = std::span(task.sources).subspan(1);
        task.stored.push_back(
            std::move(process(bias, rest, options_.mode, options_.path, {}).front()));
        rest.front().release();
      }
    }
    for (std::size_t i = 0; i < task.stored.size(); ++i) {
      reports_.emplace(task.item.tensors[i], std::move(task.stored[i].report));
      waiting_.emplace(task.item.tensors[i], std::move(task.stored[i]));
    }
  }

  // Stores the tensors that come before that one in the file.
  void store_before(std::size_t end) {
    while (!waiting_.empty() && waiting_.begin()->first < end) {
      store_(waiting_.begin()->second);
      if (options_.observer != nullptr) {
        options_.observer->on_tensor_done(reports_.at(waiting_.begin()->first));
      }
      waiting_.erase(waiting_.begin());
    }
  }

  const WeightReader& reader_;
  const WalkOptions& options_;
  const std::function<void(const StoredTensor&)>& store_;
  Aliases aliases_;
  std::map<std::size_t, StoredTensor> waiting_;  // by tensor
  std::map<std::size_t, TensorReport> reports_;
  bool is_last_ = false;
  bool has_given_up_ = false;
};

}  // namespace

std::size_t end_of_batch(const WeightReader& reader, std::span<const WorkItem> plan,
                         std::size_t first) {
  std::size_t end = first;
  for (std::size_t n_floats = 0; end < plan.size(); ++end) {
    const std::size_t n = floats_in(reader, plan[end]);
    const bool fits = n <= kSmallTensor && n_floats + n <= kBatch;
    if (end > first && !fits) break;
    n_floats += fits ? n : kBatch;
  }
  return end;
}

std::vector<Source> sources_of(const WeightReader& reader, const WorkItem& item) {
  std::vector<Source> sources;
  for (const std::size_t i : item.tensors) sources.emplace_back(reader, i);
  return sources;
}

std::vector<TensorReport> walk(const WeightReader& reader, std::vector<WorkItem> plan,
                               const WalkOptions& options,
                               const std::function<void(const StoredTensor&)>& store) {
  plan = with_biases(reader, std::move(plan));
  Walk walk(reader, plan, options, store);
  return walk.run(std::move(plan));
}

}  // namespace pqw
