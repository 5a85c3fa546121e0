// Lists the ways to store each item of a plan, and finds their errors and sizes.
#include "compress/candidates.h"

#include <algorithm>
#include <map>
#include <utility>

#include "compress/aliases.h"
#include "compress/points.h"
#include "compress/walk.h"
#include "core/parallel.h"

namespace pqw {
namespace {

// In the tables of an archive, a compressed tensor takes about so many bytes more than a plain one.
// The exact size corrects it.
constexpr std::uint64_t kRecordBytes = 40;

void drop_bytes(Record& record) {
  for (Section& section : record.sections) section.bytes = {};
  for (Record& part : record.parts) drop_bytes(part);
}

void forget_values(StoredTensor& tensor) {
  if (auto* record = std::get_if<Record>(&tensor.content)) {
    drop_bytes(*record);
  } else {
    tensor.content = PlainBytes{};
  }
}

std::uint64_t bytes_in(const std::vector<StoredTensor>& stored) {
  std::uint64_t sum = 0;
  for (const StoredTensor& tensor : stored) {
    const auto* record = std::get_if<Record>(&tensor.content);
    sum += record == nullptr ? byte_count(tensor.info) : data_bytes(*record) + kRecordBytes;
  }
  return sum;
}

// Stores a record of about the right size if only encoding tells the exact one; else returns false.
bool store_estimate(Candidate& candidate, const TensorInfo& info) {
  const auto* encode = std::get_if<Encode>(&candidate.action);
  if (encode == nullptr) return false;
  const CodecOptions& options = encode->candidates.front();
  auto record = estimated_record(info, options);
  if (!record) return false;
  TensorReport report{.info = info, .codec = codec_name(options)};
  candidate.stored.emplace().push_back({info, *std::move(record), std::move(report)});
  return true;
}

void set_probed(Candidate& candidate, const Probed& probed) {
  const auto bytes = static_cast<std::int64_t>(candidate.bytes);
  candidate.relative_error = probed.relative_error;
  candidate.was_made = probed.bytes.has_value();
  candidate.saved_bytes = probed.bytes
                              ? bytes - static_cast<std::int64_t>(*probed.bytes + kRecordBytes)
                              : std::min(bytes, static_cast<std::int64_t>(probed.saved_bytes));
}

bool is_plain(const Candidate& candidate) { return std::holds_alternative<Keep>(candidate.action); }

}  // namespace

std::string settings_text(const CodecOptions& options) {
  return codec_name(options) + ":" + to_string(options);
}

bool are_near(const Candidate& a, const Candidate& b) {
  constexpr double kNear = 1.045;  // a sixteenth of a bit
  return a.series == b.series &&
         std::max(a.number, b.number) < kNear * std::min(a.number, b.number);
}

void add_made(const WeightReader& reader, std::span<const WorkItem> plan, const Report& report,
              Probes& probes) {
  std::map<std::string, const TensorReport*> by_name;
  for (const TensorReport& tensor : report.tensors) by_name[tensor.info.name] = &tensor;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const auto* encode = std::get_if<Encode>(&plan[i].action);
    if (encode == nullptr || !encode->is_free) continue;
    const auto found = by_name.find(reader.tensors()[plan[i].tensors.front()].name);
    if (found == by_name.end()) continue;
    const TensorReport& made = *found->second;
    const CodecOptions& options = encode->candidates.front();
    if (made.codec != codec_name(options) || !made.distortion) continue;
    Probed& probed = probes[{i, settings_text(options)}];
    probed.bytes = made.bytes;
    // With statistics of inputs, weights are less exact than probes say, which do without: then only
    // a probe tells the error of this point.
    if (!made.output_error) probed.relative_error = made.distortion->relative_error();
  }
}

Candidates::Candidates(const SearchInput& input, const std::vector<WorkItem>& plan)
    : input_(input),
      plan_(plan),
      n_weights_(weights_of(input.reader.tensors())),
      items_(plan.size()) {
  find_aliases();
  for_each([&](std::size_t i) { return !items_[i].same_as; },
           [&](std::size_t i, std::vector<Source>& sources) { look_at(i, sources); });
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    const auto target = items_[i].same_as;
    if (target && items_[*target].importance > 0) {
      items_[*target].importance += plan_[i].importance;
    }
  }
  probe_first();
}

// Calls fn(i, sources) for the items that are wanted: large ones one at a time with all threads,
// small ones side by side.
template <class Wanted, class Fn>
void Candidates::for_each(const Wanted& wanted, const Fn& fn) {
  for (std::size_t first = 0; first < plan_.size();) {
    const std::size_t end = end_of_batch(input_.reader, plan_, first);
    std::vector<std::size_t> batch;
    for (; first < end; ++first) {
      if (wanted(first)) batch.push_back(first);
    }
    Workers(batch.size() > 1)
        .for_ranges(Division::by_length(batch.size(), 1),
                    [&](const IndexRange& range, std::size_t) {
                      const std::size_t i = batch[range.index];
                      std::vector<Source> sources = sources_of(input_.reader, plan_[i]);
                      fn(i, sources);
                    });
  }
}

void Candidates::find_aliases() {
  Aliases aliases(input_.reader, plan_);
  std::map<std::size_t, std::size_t> item_of_tensor;
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    item_of_tensor[plan_[i].tensors.front()] = i;
    Source source(input_.reader, plan_[i].tensors.front());
    if (const auto target = aliases.find(plan_[i], source)) {
      items_[i].same_as = item_of_tensor.at(*target);
    }
  }
}

void Candidates::look_at(std::size_t i, std::vector<Source>& sources) {
  const auto* encode = std::get_if<Encode>(&plan_[i].action);
  if (encode == nullptr || !encode->is_free) return take_as_it_is(i, sources);
  const TensorInfo info = canonical(sources[0].info());
  Floats floats = floats_of(sources[0], *encode);
  SearchItem& item = items_[i];
  Candidate plain{Keep{floats.tensor ? "plain: chosen for the target" : floats.obstacle}};
  plain.relative_error = 0;
  (void)store(i, plain, sources);
  item.candidates.push_back(std::move(plain));
  if (!floats.tensor) return;
  item.importance = plan_[i].importance;
  for (const float value : floats.tensor->values) {
    item.squared_norm += static_cast<double>(value) * value;
  }
  const auto& base = std::get<PqOptions>(encode->candidates.front());
  for (const OperatingPoint& point :
       operating_points(info, base, input_.target.metric, plan_[i].use, n_weights_)) {
    item.candidates.push_back({Encode{{point.options}, {}, encode->keep_if_not_finite, true},
                               point.bytes + kRecordBytes, point.series, point.number,
                               point.is_probed_first});
    set_known(i, item.candidates.back());
  }
}

void Candidates::set_known(std::size_t i, Candidate& candidate) const {
  if (input_.probes == nullptr) return;
  const auto& options = std::get<Encode>(candidate.action).candidates.front();
  const auto known = input_.probes->find({i, settings_text(options)});
  if (known != input_.probes->end()) set_probed(candidate, known->second);
}

// An error counts only if the target is an error: then the tensor is encoded to measure it.
void Candidates::take_as_it_is(std::size_t i, std::vector<Source>& sources) {
  const bool measures =
      input_.target.kind == TargetKind::kError && std::holds_alternative<Encode>(plan_[i].action);
  Candidate only{plan_[i].action};
  only.relative_error = 0;
  only.stored = process(plan_[i], sources, measures ? Mode::kEncode : Mode::kSize, input_.path);
  SearchItem& item = items_[i];
  double squared_error = 0;
  for (StoredTensor& tensor : *only.stored) {
    if (const auto& distortion = tensor.report.distortion; measures && distortion) {
      item.importance = plan_[i].importance;
      item.squared_norm += distortion->squared_norm();
      squared_error += distortion->squared_error();
    }
    forget_values(tensor);
  }
  if (item.squared_norm > 0) only.relative_error = squared_error / item.squared_norm;
  only.bytes = bytes_in(*only.stored);
  item.candidates.push_back(std::move(only));
}

void Candidates::probe_first() {
  Selection selected(items_.size());
  for (std::size_t i = 0; i < items_.size(); ++i) {
    for (std::size_t c = 0; c < items_[i].candidates.size(); ++c) {
      const Candidate& candidate = items_[i].candidates[c];
      if (candidate.is_probed_first && !candidate.relative_error) selected[i].push_back(c);
    }
  }
  (void)probe(selected);
}

bool Candidates::is_known(std::size_t item, const Candidate& candidate) const {
  return candidate.relative_error ||
         std::ranges::any_of(items_[item].candidates, [&](const Candidate& other) {
           return other.relative_error && are_near(other, candidate);
         });
}

bool Candidates::probe(const Selection& selected) {
  const std::size_t n_before = n_probed_;
  for (const auto& of_item : selected) n_wanted_ += of_item.size();
  for_each([&](std::size_t i) { return !selected[i].empty(); },
           [&](std::size_t i, std::vector<Source>& sources) {
             const auto& encode = std::get<Encode>(plan_[i].action);
             const Floats floats = floats_of(sources[0], encode);
             sources[0].release();
             for (const std::size_t c : selected[i]) {
               Candidate& candidate = items_[i].candidates[c];
               const auto& options = std::get<Encode>(candidate.action).candidates.front();
               const Probed probed = probe_once(i, *floats.tensor, options);
               set_probed(candidate, probed);
               count_probe();
             }
           });
  return n_probed_ > n_before;
}

Probed Candidates::probe_once(std::size_t i, const FloatTensor& tensor,
                              const CodecOptions& options) {
  const Probed probed = pqw::probe(tensor, options);
  if (input_.probes == nullptr) return probed;
  const std::lock_guard lock(mutex_);
  Probed& known = (*input_.probes)[{i, settings_text(options)}];
  known = {probed.relative_error, probed.saved_bytes, known.bytes};
  return known;
}

void Candidates::count_probe() {
  const std::lock_guard lock(mutex_);
  ++n_probed_;
  if (input_.observer != nullptr) input_.observer->on_search(n_probed_, n_wanted_);
}

bool Candidates::store(const Selection& selected) {
  std::vector<char> differs(items_.size());
  for_each([&](std::size_t i) { return !selected[i].empty(); },
           [&](std::size_t i, std::vector<Source>& sources) {
             for (const std::size_t c : selected[i]) {
               if (store(i, items_[i].candidates[c], sources)) differs[i] = true;
             }
           });
  for (std::size_t i = 0; i < items_.size(); ++i) {
    if (!differs[i]) continue;
    std::erase_if(items_[i].candidates, [](const Candidate& candidate) {
      return candidate.stored && !candidate.stored->front().report.compressed() &&
             !is_plain(candidate);
    });
  }
  return std::ranges::count(differs, 1) > 0;
}

// Returns whether the exact size, where it is known, differs from the size known before.
bool Candidates::store(std::size_t i, Candidate& candidate, std::vector<Source>& sources) const {
  if (store_estimate(candidate, sources[0].info())) return false;
  WorkItem item = plan_[i];
  item.action = candidate.action;
  candidate.stored = process(item, sources, Mode::kSize, input_.path);
  for (StoredTensor& tensor : *candidate.stored) forget_values(tensor);
  const std::uint64_t before = std::exchange(candidate.bytes, bytes_in(*candidate.stored));
  if (!candidate.stored->front().report.at_most) {
    candidate.saved_bytes = 0;
  } else if (candidate.was_made) {
    candidate.saved_bytes += static_cast<std::int64_t>(candidate.bytes - before);
  }
  return before != candidate.bytes;
}

}  // namespace pqw
