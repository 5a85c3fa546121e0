// Chooses the blocks that EM starts from: distinct blocks, drawn uniformly.
#include "codecs/pq/train/initial_centroids.h"

#include "codecs/pq/train/distinct.h"
#include "codecs/train/random.h"

namespace pqw {

std::vector<std::size_t> random_blocks(BlockSpan blocks, std::size_t n, std::uint64_t seed) {
  Random random(seed);
  DistinctSet seen(blocks);
  std::vector<std::size_t> chosen;
  // Enough draws to find nearly all of n distinct blocks unless most blocks are equal.
  for (std::size_t draw = 0; draw < 16 * n && chosen.size() < n; ++draw) {
    const std::size_t index = below(blocks.count(), random);
    if (seen.insert(index)) chosen.push_back(index);
  }
  for (std::size_t i = 0; i < blocks.count() && chosen.size() < n; ++i) {
    if (seen.insert(i)) chosen.push_back(i);
  }
  return chosen;
}

}  // namespace pqw
