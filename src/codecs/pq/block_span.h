// The blocks that share a codebook, as the EM functions see them.
#pragma once

#include <cstddef>
#include <span>

namespace pqw {

// Layout: float[count()][d].
struct BlockSpan {
  std::span<const float> values;
  std::size_t d = 1;

  std::size_t count() const { return values.size() / d; }
  const float* operator[](std::size_t i) const { return values.data() + i * d; }
};

}  // namespace pqw
