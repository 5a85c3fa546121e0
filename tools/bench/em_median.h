// The middle value.
#pragma once

#include <algorithm>
#include <vector>

namespace pqw::bench {

// The mean of the two middle ones for an even number. REQUIRES: values is not empty.
inline double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace pqw::bench
