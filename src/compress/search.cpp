// Searches the operating points of a file's tensors that a target asks for.
#include "compress/search.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <utility>

#include "compress/aliases.h"
#include "compress/budget.h"
#include "compress/points.h"
#include "compress/walk.h"
#include "core/parallel.h"
#include "core/subject.h"

namespace pqw {
namespace {

// What the tables of an archive take for a compressed tensor beyond a plain one, about. The exact
// size corrects it.
constexpr std::uint64_t kRecordBytes = 40;

// A way to store the tensors of an item.
struct Candidate {
  Action action;
  std::uint64_t bytes = 0;  // about, until `stored` is known
  std::size_t series = 0;   // see OperatingPoint
  double number = 0;
  std::optional<double> relative_error = {};             // once it is probed
  std::optional<std::vector<StoredTensor>> stored = {};  // without the bytes, once it is asked for
};

struct Item {
  std::vector<Candidate> candidates;        // one if there is nothing to choose
  std::optional<std::size_t> same_as = {};  // the item of the tensor that this one is an alias of
  double importance = 0;                    // together with its aliases; 0 if errors do not count
  double squared_norm = 0;
};

// The candidates that may be chosen, as points.
struct Table {
  std::vector<Points> points;                    // by item
  std::vector<std::vector<std::size_t>> origin;  // the candidate of each point
};

void drop_bytes(Record& record) {
  for (Section& section : record.sections) section.bytes = {};
  for (Record& part : record.parts) drop_bytes(part);
}

std::uint64_t bytes_in(const std::vector<StoredTensor>& stored) {
  std::uint64_t sum = 0;
  for (const StoredTensor& tensor : stored) {
    const auto* record = std::get_if<Record>(&tensor.content);
    sum += record == nullptr ? byte_count(tensor.info) : data_bytes(*record) + kRecordBytes;
  }
  return sum;
}

bool is_plain(const Candidate& candidate) { return std::holds_alternative<Keep>(candidate.action); }

// From the two probed candidates of the series that are nearest, as a power of the number.
std::optional<double> predicted_error(const Item& item, const Candidate& wanted) {
  std::vector<const Candidate*> known;
  for (const Candidate& other : item.candidates) {
    if (other.series == wanted.series && other.relative_error) known.push_back(&other);
  }
  if (wanted.series == 0 || known.size() < 2) return std::nullopt;
  const double at = std::log(wanted.number);
  std::ranges::stable_sort(
      known, {}, [&](const Candidate* other) { return std::abs(std::log(other->number) - at); });
  const auto log_error = [](const Candidate* candidate) {
    constexpr double kLeast = 1e-30;
    return std::log(std::max(*candidate->relative_error, kLeast));
  };
  const double x0 = std::log(known[0]->number), x1 = std::log(known[1]->number);
  const double low = log_error(known[0]), high = log_error(known[1]);
  return std::exp(low + (high - low) * (at - x0) / (x1 - x0));
}

class Search {
 public:
  Search(const SearchInput& input, std::vector<WorkItem>& plan) : input_(input), plan_(plan) {}

  SearchResult run() {
    look_at_all();
    probe_first();
    const bool by_size = input_.target.kind != TargetKind::kError;
    const Choice choice = by_size ? fit_size() : fit_error();
    rewrite_plan(choice);
    outcome_.estimated_error = error_of(table_.points, choice);
    outcome_.slope = choice.slope;
    outcome_.n_points = n_probed_;
    return {outcome_, input_.target.metric, shares()};
  }

 private:
  const TensorInfo& info_of(std::size_t i) const {
    return input_.reader.tensors()[plan_[i].tensors.front()];
  }

  // Calls fn(i, sources) for the items that are wanted: large ones one at a time with all threads,
  // small ones side by side.
  template <class Wanted, class Fn>
  void for_each(const Wanted& wanted, const Fn& fn) {
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

  // Finds aliases, stores what is fixed, and lists the candidates of what is free.
  void look_at_all() {
    items_.resize(plan_.size());
    Aliases aliases(input_.reader, plan_);
    std::map<std::size_t, std::size_t> item_of_tensor;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      item_of_tensor[plan_[i].tensors.front()] = i;
      Source source(input_.reader, plan_[i].tensors.front());
      if (const auto target = aliases.find(plan_[i], source)) {
        items_[i].same_as = item_of_tensor.at(*target);
      }
    }
    for_each([&](std::size_t i) { return !items_[i].same_as; },
             [&](std::size_t i, std::vector<Source>& sources) { look_at(i, sources); });
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const auto target = items_[i].same_as;
      if (target && items_[*target].importance > 0) {
        items_[*target].importance += plan_[i].importance;
      }
    }
    for (const Item& item : items_) sum_.add(0, item.squared_norm, item.importance);
  }

  void look_at(std::size_t i, std::vector<Source>& sources) {
    const auto* encode = std::get_if<Encode>(&plan_[i].action);
    if (encode == nullptr || !encode->is_free) return take_as_it_is(i, sources);
    const TensorInfo& info = sources[0].info();
    Floats floats = floats_of(sources[0], *encode);
    Item& item = items_[i];
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
    for (const OperatingPoint& point : operating_points(info, base, input_.target.use)) {
      item.candidates.push_back({Encode{{point.options}, {}, encode->keep_if_not_finite, true},
                                 point.bytes + kRecordBytes, point.series, point.number});
    }
  }

  // An error counts only if the target is an error: then the tensor is encoded to measure it.
  void take_as_it_is(std::size_t i, std::vector<Source>& sources) {
    const bool measures =
        input_.target.kind == TargetKind::kError && std::holds_alternative<Encode>(plan_[i].action);
    Candidate only{plan_[i].action};
    only.relative_error = 0;
    only.stored =
        process(plan_[i], sources, measures ? Mode::kEncode : Mode::kSize, input_.path, nullptr);
    Item& item = items_[i];
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

  static void forget_values(StoredTensor& tensor) {
    if (auto* record = std::get_if<Record>(&tensor.content)) {
      drop_bytes(*record);
    } else {
      tensor.content = PlainBytes{};
    }
  }

  // Of each series two points, from which the errors of the others follow.
  void probe_first() {
    std::vector<std::vector<std::size_t>> wanted(items_.size());
    for (std::size_t i = 0; i < items_.size(); ++i) {
      std::map<std::size_t, std::vector<std::size_t>> series;
      for (std::size_t c = 0; c < items_[i].candidates.size(); ++c) {
        if (!items_[i].candidates[c].relative_error) {
          series[items_[i].candidates[c].series].push_back(c);
        }
      }
      for (const auto& [number, members] : series) {
        constexpr std::size_t kSecond = 2;
        wanted[i].push_back(members.front());
        if (members.size() > 1) wanted[i].push_back(members[std::min(kSecond, members.size() - 1)]);
      }
    }
    probe(wanted);
  }

  void probe(const std::vector<std::vector<std::size_t>>& wanted) {
    for (const auto& of_item : wanted) n_wanted_ += of_item.size();
    for_each([&](std::size_t i) { return !wanted[i].empty(); },
             [&](std::size_t i, std::vector<Source>& sources) {
               const auto& encode = std::get<Encode>(plan_[i].action);
               const Floats floats = floats_of(sources[0], encode);
               sources[0].release();
               for (const std::size_t c : wanted[i]) {
                 Candidate& candidate = items_[i].candidates[c];
                 const auto& options = std::get<Encode>(candidate.action).candidates.front();
                 candidate.relative_error = probed_error(*floats.tensor, options);
                 count_probe();
               }
             });
  }

  void count_probe() {
    const std::lock_guard lock(observer_mutex_);
    ++n_probed_;
    if (input_.observer != nullptr) input_.observer->on_search(n_probed_, n_wanted_);
  }

  // What an error of 1, relative to the tensor, adds to the error of the file.
  double weight_of(const Item& item) const {
    if (!(sum_.most() > 0)) return 0;
    return sum_.weight(item.squared_norm, item.importance) * item.squared_norm / sum_.most();
  }

  // `with_guesses`: whether candidates that are not probed may be chosen.
  void make_table(bool with_guesses) {
    table_ = {};
    for (const Item& item : items_) {
      Points points;
      std::vector<std::size_t> origin;
      for (std::size_t c = 0; c < item.candidates.size(); ++c) {
        const Candidate& candidate = item.candidates[c];
        std::optional<double> error = candidate.relative_error;
        if (!error && with_guesses) error = predicted_error(item, candidate);
        if (!error) continue;
        points.push_back({candidate.bytes, *error * weight_of(item)});
        origin.push_back(c);
      }
      if (item.same_as) points.push_back({}), origin.push_back(0);
      table_.points.push_back(std::move(points));
      table_.origin.push_back(std::move(origin));
    }
  }

  Candidate& chosen(std::size_t i, const Choice& choice) {
    return items_[i].candidates[table_.origin[i][choice.points[i]]];
  }

  // Probes what is chosen, and asks for its exact size. False if that was known: else the choice may
  // be another one now.
  bool learns(const Choice& choice) {
    std::vector<std::vector<std::size_t>> wanted(items_.size());
    std::vector<bool> is_new(items_.size());
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (items_[i].same_as) continue;
      const Candidate& candidate = chosen(i, choice);
      if (!candidate.relative_error) wanted[i].push_back(table_.origin[i][choice.points[i]]);
      is_new[i] = !candidate.stored;
    }
    const std::size_t n_before = n_probed_;
    probe(wanted);
    bool learnt = n_probed_ > n_before;
    if (learnt) return true;
    std::vector<char> differs(items_.size());
    for_each([&](std::size_t i) { return is_new[i]; },
             [&](std::size_t i, std::vector<Source>& sources) {
               differs[i] = store(i, chosen(i, choice), sources);
             });
    for (std::size_t i = 0; i < items_.size(); ++i) {
      if (differs[i]) drop_if_plain(i, table_.origin[i][choice.points[i]]);
      learnt = learnt || differs[i];
    }
    return learnt;
  }

  // Whether its size is another one than it seemed.
  bool store(std::size_t i, Candidate& candidate, std::vector<Source>& sources) const {
    WorkItem item = plan_[i];
    item.action = candidate.action;
    candidate.stored = process(item, sources, Mode::kSize, input_.path, nullptr);
    for (StoredTensor& tensor : *candidate.stored) forget_values(tensor);
    return std::exchange(candidate.bytes, bytes_in(*candidate.stored)) != candidate.bytes;
  }

  // A candidate that does not make its tensor smaller, or loses it, is not one.
  void drop_if_plain(std::size_t i, std::size_t c) {
    auto& candidates = items_[i].candidates;
    const bool is_kept = !candidates[c].stored->front().report.compressed();
    if (is_kept && !is_plain(candidates[c])) {
      candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(c));
    }
  }

  // The exact size of the archive.
  std::uint64_t size_of(const Choice& choice) {
    std::map<std::size_t, StoredTensor> aliases;
    std::map<std::size_t, const StoredTensor*> in_order;
    for (std::size_t i = 0; i < items_.size(); ++i) {
      const std::vector<std::size_t>& tensors = plan_[i].tensors;
      if (items_[i].same_as) {
        TensorReport target;
        target.info = info_of(*items_[i].same_as);
        in_order[tensors[0]] = &(aliases[tensors[0]] = alias_of(target, info_of(i)));
        continue;
      }
      const std::vector<StoredTensor>& stored = *chosen(i, choice).stored;
      for (std::size_t t = 0; t < stored.size(); ++t) in_order[tensors[t]] = &stored[t];
    }
    ArchiveSizer sizer(input_.archive);
    for (const auto& [index, stored] : in_order) add(*stored, sizer);
    return sizer.finish();
  }

  std::uint64_t limit() const {
    const Target& target = input_.target;
    double n_weights = 0, n_bytes = 0;
    for (const WorkItem& item : plan_) {
      const bool adopts = std::holds_alternative<AdoptInt8>(item.action);
      for (const std::size_t t : std::span(item.tensors).first(adopts ? 1 : item.tensors.size())) {
        n_weights += static_cast<double>(element_count(input_.reader.tensors()[t].shape));
        n_bytes += static_cast<double>(byte_count(input_.reader.tensors()[t]));
      }
    }
    const double bytes = target.kind == TargetKind::kSize            ? target.value
                         : target.kind == TargetKind::kBitsPerWeight ? target.value * n_weights / 8
                                                                     : n_bytes / target.value;
    return static_cast<std::uint64_t>(std::min(bytes, 0x1p62));
  }

  // The best choice whose exact size is within the limit. The tables of the archive take what the
  // exact size of the last choice says.
  Choice fit_size() {
    constexpr std::size_t kMostFits = 12;
    outcome_.target_bytes = limit();
    const auto most = static_cast<std::int64_t>(outcome_.target_bytes);
    std::optional<Choice> best;
    std::int64_t tables = 0, best_bytes = 0;
    for (std::size_t round = 0, fits = 0; fits < kMostFits || !best;) {
      make_table(round < kGuessingRounds);  // `best` is a choice of this table
      const auto room = static_cast<std::uint64_t>(std::max<std::int64_t>(0, most - tables));
      const auto within = choose_by_size(table_.points, room);
      const Choice choice = within ? *within : smallest_choice(table_.points);
      if (learns(choice)) {
        best.reset();
        ++round;
        continue;
      }
      ++fits;
      const auto exact = static_cast<std::int64_t>(size_of(choice));
      if (exact > most && !within) refuse(exact);
      const bool better = !best || error_of(table_.points, choice) < error_of(table_.points, *best);
      if (exact <= most && better) {
        best = choice;
        best_bytes = exact;
      }
      const std::int64_t found = exact - static_cast<std::int64_t>(bytes_of(table_.points, choice));
      if (exact <= most && found == tables) break;
      constexpr std::int64_t kStep = 64;
      tables = exact > most ? std::max(found, tables + std::max(kStep, exact - most)) : found;
    }
    note_on_size(*best, best_bytes);
    return *best;
  }

  [[noreturn]] void refuse(std::int64_t smallest) const {
    throw Subject{input_.path}.error(
        ErrorCode::kInvalidArgument,
        "the target is {} bytes; the smallest archive that the codecs can make of it has {} bytes",
        outcome_.target_bytes, smallest);
  }

  void note_on_size(const Choice& choice, std::int64_t bytes) {
    const auto most = static_cast<double>(outcome_.target_bytes);
    constexpr double kClose = 0.99;
    if (static_cast<double>(bytes) >= kClose * most) return;
    outcome_.note = choice.slope == 0 ? "no tensor can be more exact" : "no choice comes nearer";
  }

  Choice fit_error() {
    outcome_.target_error = input_.target.value;
    for (std::size_t round = 0;; ++round) {
      make_table(round < kGuessingRounds);
      const auto within = choose_by_error(table_.points, input_.target.value);
      if (!within) refuse_error();
      if (learns(*within)) continue;
      const bool is_smallest = within->points == smallest_choice(table_.points).points;
      if (is_smallest) {
        outcome_.note = "no choice is smaller";
      }
      return *within;
    }
  }

  [[noreturn]] void refuse_error() const {
    double least = 0;
    for (const Points& points : table_.points) {
      least += std::ranges::min(points, {}, &Point::error).error;
    }
    throw Subject{input_.path}.error(
        ErrorCode::kInvalidArgument,
        "the target is an error of {:.3g}; the tensors whose codecs rules name have {:.3g}",
        input_.target.value, least);
  }

  void rewrite_plan(const Choice& choice) {
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const std::size_t source = items_[i].same_as.value_or(i);
      const auto* encode = std::get_if<Encode>(&plan_[i].action);
      if (encode == nullptr || !encode->is_free) continue;
      plan_[i].action = chosen(source, choice).action;
      const auto* made = std::get_if<Encode>(&plan_[i].action);
      plan_[i].settings =
          made == nullptr ? "plain"
                          : codec_name(made->candidates[0]) + ":" + to_string(made->candidates[0]);
    }
  }

  std::vector<Share> shares() const {
    std::vector<Share> shares;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const std::size_t source = items_[i].same_as.value_or(i);
      const bool counts =
          items_[source].importance > 0 || std::holds_alternative<Encode>(plan_[i].action);
      for (const std::size_t t : plan_[i].tensors) {
        if (!counts) break;
        shares.push_back(
            {input_.reader.tensors()[t].name, items_[source].squared_norm, plan_[i].importance});
      }
    }
    return shares;
  }

  static constexpr std::size_t kGuessingRounds = 24;

  const SearchInput& input_;
  std::vector<WorkItem>& plan_;
  std::vector<Item> items_;  // as in the plan
  MetricSum sum_{input_.target.metric};
  Table table_;
  std::mutex observer_mutex_;  // also of n_probed_, while points are probed
  std::size_t n_probed_ = 0;
  std::size_t n_wanted_ = 0;
  SearchOutcome outcome_;
};

}  // namespace

SearchResult search(const SearchInput& input, std::vector<WorkItem>& plan) {
  return Search(input, plan).run();
}

double measured_error(const SearchResult& result, std::span<const TensorReport> reports) {
  std::map<std::string, const Share*> shares;
  for (const Share& share : result.shares) shares[share.name] = &share;
  MetricSum sum(result.metric);
  for (const TensorReport& report : reports) {
    const auto share = shares.find(report.info.name);
    if (share == shares.end() || !report.distortion) continue;
    const double norm = report.distortion->squared_norm();
    sum.add(report.distortion->squared_error(), norm > 0 ? norm : share->second->squared_norm,
            share->second->importance);
  }
  return sum.value();
}

double MetricSum::weight(double squared_norm, double importance) const {
  if (!(squared_norm > 0)) return 0;
  return metric_ == Metric::kTotal ? importance : importance / squared_norm;
}

void MetricSum::add(double squared_error, double squared_norm, double importance) {
  const double factor = weight(squared_norm, importance);
  sum_ += factor * squared_error;
  most_ += factor * squared_norm;
}

}  // namespace pqw
