// Searches the operating points of a file's tensors for a choice that meets a target.
#pragma once

#include <vector>

#include "compress/candidates.h"
#include "compress/file_error.h"

namespace pqw {

struct SearchResult {
  SearchOutcome outcome;  // without `error`
  std::vector<Share> shares;
};

// Gives each free tensor of the plan one candidate, or keeps it; the others stay as they are. Probes
// points with little effort, first a few of each tensor, then the points that seem best. The result
// depends on input and options alone. Reads each tensor several times. Large tensors are in memory
// one at a time.
// Errors: kInvalidArgument if no choice is small enough, naming the smallest size, or exact enough;
// those of process.
SearchResult search(const SearchInput& input, std::vector<WorkItem>& plan);

}  // namespace pqw
