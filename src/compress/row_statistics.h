// Sums over the rows of x in y = x Wᵀ, which become their statistics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "codecs/train/linear_algebra.h"
#include "pqw/codecs/input_statistics.h"

namespace pqw {

// The indices of rows to keep apart: min(most, n_rows / 8), uniform without replacement, ascending.
std::vector<std::uint64_t> held_out_rows(std::uint64_t n_rows, std::size_t most,
                                         std::uint64_t seed);

// Takes rows one at a time, sums in double, and keeps those apart that are held out. The sums do not
// depend on the number of threads.
class RowStatistics {
 public:
  // gram_block: of InputStatistics. `held_out` are indices of rows, ascending.
  RowStatistics(std::size_t cols, std::size_t gram_block, std::vector<std::uint64_t> held_out);

  // Memory for the next row; REQUIRES: `add_row` is called when it is filled.
  std::span<double> next_row();
  void add_row();

  // REQUIRES: one row or more was added that is not held out. Called once.
  InputStatistics finish();

 private:
  void flush();
  void add_products();
  void set_gram();

  InputStatistics statistics_;
  std::vector<std::uint64_t> held_out_;
  std::uint64_t n_rows_ = 0;        // added, also those held out
  std::size_t n_held_out_ = 0;      // added
  std::size_t n_waiting_ = 0;       // rows in waiting_
  linear_algebra::Matrix waiting_;  // rows whose sums and products are not added yet
  std::vector<double> gram_;        // sums; of each block the lower triangle
};

}  // namespace pqw
