// The items of a search for a target, and the ways to store each: their sizes and errors.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "compress/plan.h"
#include "compress/probe.h"
#include "compress/process.h"
#include "pqw/compress/compress.h"

namespace pqw {

// Results of operating points that were probed or made. Keys: the index of the item, settings_text.
using Probes = std::map<std::pair<std::size_t, std::string>, Probed>;

// "pq:block_size=2,centroids=512"
std::string settings_text(const CodecOptions& options);

// Adds the measured errors and sizes of the tensors that a run made by the plan.
void add_made(const WeightReader& reader, std::span<const WorkItem> plan, const Report& report,
              Probes& probes);

struct SearchInput {
  const WeightReader& reader;
  Target target;
  ArchiveWriterOptions archive;  // of the archive to be made
  std::string path;              // of the input, for messages
  CompressObserver* observer = nullptr;
  Probes* probes = nullptr;  // known errors, to which the search adds its own; or null
};

// A way to store the tensors of an item.
struct Candidate {
  Action action;
  std::uint64_t bytes = 0;  // approximate until `stored` is known
  std::size_t series = 0;   // see OperatingPoint
  double number = 0;
  bool is_probed_first = false;
  std::optional<double> relative_error = {};  // once it is probed
  std::int64_t saved_bytes = 0;  // estimate, once it is probed: `bytes` minus what it takes
  bool was_made = false;         // if true, error and saved_bytes are exact
  std::optional<std::vector<StoredTensor>> stored = {};  // without the bytes, once it is asked for
};

// Whether two candidates of one item are neighbours in a series: so near that the error of one,
// guessed from the other, is exact enough.
bool are_near(const Candidate& a, const Candidate& b);

struct SearchItem {
  std::vector<Candidate> candidates;        // one if there is nothing to choose
  std::optional<std::size_t> same_as = {};  // the item of the tensor that this one is an alias of
  double importance = 0;                    // together with its aliases; 0 if errors do not count
  double squared_norm = 0;
};

class Candidates {
 public:
  using Selection = std::vector<std::vector<std::size_t>>;  // by item, indices of candidates

  // Finds aliases, sizes the items without a choice, and lists the candidates of the others.
  // Probes two of each series; the errors of the rest follow from these two.
  // REQUIRES: input and plan outlive it.
  Candidates(const SearchInput& input, const std::vector<WorkItem>& plan);

  const std::vector<SearchItem>& items() const { return items_; }
  std::size_t n_probed() const { return n_probed_; }

  // Whether the error of the candidate, or of one near it, is known.
  bool is_known(std::size_t item, const Candidate& candidate) const;

  // Finds the errors of candidates. False if none is selected.
  bool probe(const Selection& selected);

  // Finds the sizes of candidates: exact, or estimates if only encoding tells them (points.h).
  // Drops candidates that would leave their tensor plain. True if a size changed.
  bool store(const Selection& selected);

 private:
  template <class Wanted, class Fn>
  void for_each(const Wanted& wanted, const Fn& fn);
  void find_aliases();
  void look_at(std::size_t i, std::vector<Source>& sources);
  void take_as_it_is(std::size_t i, std::vector<Source>& sources);
  bool store(std::size_t i, Candidate& candidate, std::vector<Source>& sources) const;
  void probe_first();
  void set_known(std::size_t i, Candidate& candidate) const;
  Probed probe_once(std::size_t i, const FloatTensor& tensor, const CodecOptions& options);
  void count_probe();

  const SearchInput& input_;
  const std::vector<WorkItem>& plan_;
  std::size_t n_weights_;          // of the file
  std::vector<SearchItem> items_;  // as in the plan
  std::mutex mutex_;               // of the observer, the probes of the input and n_probed_
  std::size_t n_probed_ = 0;
  std::size_t n_wanted_ = 0;
};

}  // namespace pqw
