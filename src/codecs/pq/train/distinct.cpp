// Distinct blocks, by hashing.
#include "codecs/pq/train/distinct.h"

#include <algorithm>
#include <bit>
#include <cstdint>

namespace pqw {

DistinctSet::DistinctSet(BlockSpan blocks) : set_(0, Hash{blocks}, Equal{blocks}) {}

std::size_t DistinctSet::Hash::operator()(std::size_t index) const {
  std::uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a over words, with a final mix
  for (std::size_t j = 0; j < blocks.d; ++j) {
    const float value = blocks[index][j] + 0.0f;  // -0 becomes 0
    hash = (hash ^ std::bit_cast<std::uint32_t>(value)) * 0x100000001b3u;
    hash ^= hash >> 29;
  }
  return hash;
}

bool DistinctSet::Equal::operator()(std::size_t a, std::size_t b) const {
  return std::equal(blocks[a], blocks[a] + blocks.d, blocks[b]);
}

std::vector<std::size_t> distinct_blocks(BlockSpan blocks, std::size_t limit) {
  DistinctSet seen(blocks);
  std::vector<std::size_t> distinct;
  for (std::size_t i = 0; i < blocks.count() && distinct.size() < limit; ++i) {
    if (seen.insert(i)) distinct.push_back(i);
  }
  return distinct;
}

}  // namespace pqw
