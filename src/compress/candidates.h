// The items of a search for a target, and the ways to store each: their sizes and errors.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "compress/plan.h"
#include "compress/points.h"
#include "compress/process.h"
#include "pqw/compress/compress.h"

namespace pqw {

// Operating points that were probed: by the index of the item and the options.
using Probes = std::map<std::pair<std::size_t, std::string>, Probed>;

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
  std::optional<double> relative_error = {};  // once it is probed
  std::uint64_t saved_bytes = 0;  // by entropy coding, about, once it is probed; `bytes` has them
  std::optional<std::vector<StoredTensor>> stored = {};  // without the bytes, once it is asked for
};

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
  // Probes two of each series; the errors of the rest follow from these two. REQUIRES: input and plan outlive it.
  Candidates(const SearchInput& input, const std::vector<WorkItem>& plan);

  const std::vector<SearchItem>& items() const { return items_; }
  std::size_t n_probed() const { return n_probed_; }

  // Finds the errors of candidates. False if none is selected.
  bool probe(const Selection& selected);

  // Finds the exact sizes of candidates, and drops those that would leave their tensor plain. True
  // if a size changed.
  bool store(const Selection& selected);

 private:
  template <class Wanted, class Fn>
  void for_each(const Wanted& wanted, const Fn& fn);
  void find_aliases();
  void look_at(std::size_t i, std::vector<Source>& sources);
  void take_as_it_is(std::size_t i, std::vector<Source>& sources);
  bool store(std::size_t i, Candidate& candidate, std::vector<Source>& sources) const;
  void probe_first();
  Probed probe_once(std::size_t i, const FloatTensor& tensor, const CodecOptions& options);
  void count_probe();

  const SearchInput& input_;
  const std::vector<WorkItem>& plan_;
  std::vector<SearchItem> items_;  // as in the plan
  std::mutex mutex_;               // of the observer, the probes of the input and n_probed_
  std::size_t n_probed_ = 0;
  std::size_t n_wanted_ = 0;
};

}  // namespace pqw
