// Finds distinct blocks.
#pragma once

#include <cstddef>
#include <unordered_set>
#include <vector>

#include "codecs/pq/train/block_span.h"

namespace pqw {

// A set of block indices in which equal blocks (-0 equals 0) count once.
class DistinctSet {
 public:
  explicit DistinctSet(BlockSpan blocks);

  // Adds a block. Returns false if an equal block is already in the set.
  bool insert(std::size_t index) { return set_.insert(index).second; }

 private:
  struct Hash {
    BlockSpan blocks;
    std::size_t operator()(std::size_t index) const;
  };
  struct Equal {
    BlockSpan blocks;
    bool operator()(std::size_t a, std::size_t b) const;
  };
  std::unordered_set<std::size_t, Hash, Equal> set_;
};

// The indices of the first distinct blocks, in order of their first appearance, `limit` at most.
std::vector<std::size_t> distinct_blocks(BlockSpan blocks, std::size_t limit);

}  // namespace pqw
