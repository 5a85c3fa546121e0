// Chooses a candidate of each item so that the file fits a target.
#include "compress/search.h"

#include <fmt/format.h>

#include <algorithm>

#include "compress/archive_size.h"
#include "compress/point_table.h"
#include "core/subject.h"

namespace pqw {
namespace {

class Search {
 public:
  Search(const SearchInput& input, std::vector<WorkItem>& plan)
      : input_(input), plan_(plan), candidates_(input, plan) {}

  SearchResult run() {
    const bool by_size = input_.target.kind != TargetKind::kError;
    const Choice choice = by_size ? fit_size() : fit_error();
    rewrite_plan(choice);
    outcome_.estimated_error = error_of(table_.points, choice);
    outcome_.slope = choice.slope;
    outcome_.n_points = candidates_.n_probed();
    return {outcome_, shares()};
  }

 private:
  const SearchItem& item(std::size_t i) const { return candidates_.items()[i]; }

  const Candidate& chosen(std::size_t i, const Choice& choice) const {
    return item(i).candidates[table_.candidate(i, choice)];
  }

  // Guesses end after some rounds, so that the search ends.
  void make_table(std::size_t round) {
    constexpr std::size_t kGuessingRounds = 24;
    table_ = make_point_table(candidates_.items(), input_.target.metric, round < kGuessingRounds);
  }

  // Probes what is chosen, and asks for its exact size. False if nothing was new: else another
  // choice may be better now.
  bool learns(const Choice& choice) {
    Candidates::Selection not_probed(plan_.size()), not_stored(plan_.size());
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (item(i).same_as) continue;
      const std::size_t c = table_.candidate(i, choice);
      if (!candidates_.is_known(i, chosen(i, choice))) not_probed[i].push_back(c);
      if (!chosen(i, choice).stored) not_stored[i].push_back(c);
    }
    return candidates_.probe(not_probed) || candidates_.store(not_stored);
  }

  // The estimated size. Without saved bytes: an upper bound, except for tcq, whose sizes are
  // estimates.
  std::uint64_t size_of(const Choice& choice, bool saves = true) const {
    std::vector<const std::vector<StoredTensor>*> stored(plan_.size());
    std::int64_t saved = 0;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      if (item(i).same_as) continue;
      stored[i] = &*chosen(i, choice).stored;
      saved += chosen(i, choice).saved_bytes;
    }
    const auto bytes =
        static_cast<std::int64_t>(archive_size(input_, plan_, candidates_.items(), stored));
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, bytes - (saves ? saved : 0)));
  }

  // The best choice whose size is within the limit. The tables of the archive take what the size of
  // the last choice says.
  Choice fit_size() {
    constexpr std::size_t kMostFits = 12;
    outcome_.target_bytes = target_bytes(input_, plan_);
    const auto most = static_cast<std::int64_t>(outcome_.target_bytes);
    std::optional<Choice> best;
    std::int64_t tables = 0, best_bytes = 0;
    for (std::size_t round = 0, fits = 0; fits < kMostFits || !best;) {
      make_table(round);  // `best` is a choice of this table
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
      if (exact > most && !within) refuse(size_of(choice, false));
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
    outcome_.estimated_bytes = static_cast<std::uint64_t>(best_bytes);
    note_on_size(*best, best_bytes);
    return *best;
  }

  [[noreturn]] void refuse(std::uint64_t smallest) const {
    throw Subject{input_.path}.error(
        ErrorCode::kInvalidArgument,
        "the target is {} bytes{}; the smallest archive that the codecs can make of it has at "
        "most {} bytes: ask for --target-size {} or more, or let fewer rules and patterns keep "
        "tensors",
        outcome_.target_bytes, as_given(), smallest, smallest);
  }

  // " (a ratio of 16)"; empty if the target is given in bytes.
  std::string as_given() const {
    if (input_.target.kind == TargetKind::kSize) return "";
    const bool is_ratio = input_.target.kind == TargetKind::kRatio;
    return fmt::format(" ({} {:.4g})",
                       is_ratio ? "a ratio of" : "bits per weight:", input_.target.value);
  }

  void note_on_size(const Choice& choice, std::int64_t bytes) {
    const auto most = static_cast<double>(outcome_.target_bytes);
    constexpr double kClose = 0.99;
    if (static_cast<double>(bytes) >= kClose * most) return;
    outcome_.note = choice.slope == 0
                        ? "no tensor can be more exact"
                        : "no tensor can be stored more exactly in the bytes that are left";
  }

  Choice fit_error() {
    outcome_.target_error = input_.target.value;
    for (std::size_t round = 0;; ++round) {
      make_table(round);
      const auto within = choose_by_error(table_.points, input_.target.value);
      if (!within) refuse_error();
      if (learns(*within)) continue;
      const bool is_smallest = within->points == smallest_choice(table_.points).points;
      if (is_smallest) outcome_.note = "no choice is smaller";
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
        "the target is an error of {:.3g}; the tensors that rules keep from the "
        "search already have {:.3g}; raise the target or change these rules",
        input_.target.value, least);
  }

  void rewrite_plan(const Choice& choice) {
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const std::size_t source = item(i).same_as.value_or(i);
      const auto* encode = std::get_if<Encode>(&plan_[i].action);
      if (encode == nullptr || !encode->is_free) continue;
      plan_[i].action = chosen(source, choice).action;
      const auto* made = std::get_if<Encode>(&plan_[i].action);
      plan_[i].settings = made == nullptr ? "plain" : settings_text(made->candidates[0]);
    }
  }

  std::vector<Share> shares() const {
    std::vector<Share> shares;
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      const SearchItem& source = item(item(i).same_as.value_or(i));
      const bool counts = source.importance > 0 || std::holds_alternative<Encode>(plan_[i].action);
      for (const std::size_t t : plan_[i].tensors) {
        if (!counts) break;
        shares.push_back(
            {input_.reader.tensors()[t].name, source.squared_norm, plan_[i].importance});
      }
    }
    return shares;
  }

  const SearchInput& input_;
  std::vector<WorkItem>& plan_;
  Candidates candidates_;
  PointTable table_;
  SearchOutcome outcome_;
};

}  // namespace

SearchResult search(const SearchInput& input, std::vector<WorkItem>& plan) {
  return Search(input, plan).run();
}

}  // namespace pqw
