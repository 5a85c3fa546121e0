// Sums over the rows of x in y = x Wᵀ, which become their statistics.
#include "compress/row_statistics.h"

#include <algorithm>
#include <set>
#include <utility>

#include "codecs/train/random.h"
#include "pqw/calibration/statistics_file.h"

namespace pqw {
namespace {

constexpr std::size_t kMostWaiting = 1 << 21;  // elements: 16 MiB
constexpr std::size_t kMostRows = 512, kFewestRows = 16;

std::size_t rows_at_once(std::size_t cols) {
  return std::clamp(kMostWaiting / std::max<std::size_t>(cols, 1), kFewestRows, kMostRows);
}

}  // namespace

// Floyd's algorithm.
std::vector<std::uint64_t> held_out_rows(std::uint64_t n_rows, std::size_t most,
                                         std::uint64_t seed) {
  const std::uint64_t n = std::min<std::uint64_t>(most, n_rows / 8);
  Random random(seed);
  std::set<std::uint64_t> chosen;
  for (std::uint64_t last = n_rows - n; last < n_rows; ++last) {
    const std::uint64_t row = below(last + 1, random);
    if (!chosen.insert(row).second) chosen.insert(last);
  }
  return {chosen.begin(), chosen.end()};
}

RowStatistics::RowStatistics(std::size_t cols, std::size_t gram_block,
                             std::vector<std::uint64_t> held_out)
    : held_out_(std::move(held_out)),
      waiting_(rows_at_once(cols), cols),
      gram_(gram_count(cols, gram_block)) {
  statistics_.cols = cols;
  statistics_.gram_block = gram_block;
  statistics_.means.resize(cols);
  statistics_.second_moments.resize(cols);
}

std::span<double> RowStatistics::next_row() {
  return std::span(waiting_.values).subspan(n_waiting_ * waiting_.cols, waiting_.cols);
}

void RowStatistics::add_row() {
  if (n_held_out_ < held_out_.size() && held_out_[n_held_out_] == n_rows_++) {
    ++n_held_out_;
    for (const double value : next_row()) {
      statistics_.held_out.push_back(static_cast<float>(value));
    }
  } else if (++n_waiting_ == waiting_.rows) {
    flush();
  }
}

void RowStatistics::flush() {
  for (std::size_t r = 0; r < n_waiting_; ++r) {
    for (std::size_t c = 0; c < waiting_.cols; ++c) {
      const double value = waiting_(r, c);
      statistics_.means[c] += value;
      statistics_.second_moments[c] += value * value;
    }
  }
  add_products();
  statistics_.n_rows += n_waiting_;
  n_waiting_ = 0;
}

void RowStatistics::add_products() {
  const std::size_t cols = waiting_.cols, block = statistics_.gram_block;
  if (block == 0) return;
  double* gram = gram_.data();
  for (std::size_t first = 0; first < cols; first += block) {
    const std::size_t n = std::min(block, cols - first);
    linear_algebra::add_gram(n, n_waiting_, waiting_.values.data() + first, cols, gram);
    gram += n * n;
  }
}

// From the lower triangles of the blocks.
void RowStatistics::set_gram() {
  const auto n_rows = static_cast<double>(statistics_.n_rows);
  const std::size_t cols = statistics_.cols, block = statistics_.gram_block;
  statistics_.gram.reserve(gram_.size());
  const double* sums = gram_.data();
  for (std::size_t first = 0; block > 0 && first < cols; first += block) {
    const std::size_t n = std::min(block, cols - first);
    for (std::size_t a = 0; a < n; ++a) {
      for (std::size_t b = 0; b < n; ++b) {
        const double sum = sums[std::max(a, b) * n + std::min(a, b)];
        statistics_.gram.push_back(static_cast<float>(sum / n_rows));
      }
    }
    sums += n * n;
  }
}

InputStatistics RowStatistics::finish() {
  flush();
  const auto n = static_cast<double>(statistics_.n_rows);
  for (double& sum : statistics_.means) sum /= n;
  for (double& sum : statistics_.second_moments) sum /= n;
  set_gram();
  return std::move(statistics_);
}

}  // namespace pqw
