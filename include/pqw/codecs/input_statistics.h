// The inputs of one weight matrix in numbers, so that encoding can keep its outputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace pqw {

// Of the rows of x in y = x Wᵀ; `cols` are the columns of W. Patches are the rows of x of a
// convolution. In a convolution of G groups, the rows of W are G equal runs with inputs of their own:
// `cols` is G times the columns of W, group after group, and no Gram block crosses a group.
// All values are finite.
struct InputStatistics {
  std::size_t cols = 0;
  std::uint64_t n_rows = 0;        // rows counted below; those of `held_out` are not among them
  std::vector<double> means = {};  // [cols], of x_c
  std::vector<double> second_moments = {};  // [cols], of x_c²
  // The Gram matrix, the mean of xᵀx, in blocks along its diagonal: block b is [n][n], row-major, for
  // the columns b * gram_block .. + n - 1. The last block may be smaller. 0: no Gram matrix.
  std::size_t gram_block = 0;
  std::vector<float> gram = {};
  std::vector<float> held_out = {};  // [rows][cols], a random sample kept apart for judging

  std::size_t n_held_out() const { return cols == 0 ? 0 : held_out.size() / cols; }
  std::size_t n_groups(std::size_t weight_cols) const {
    return weight_cols == 0 ? 1 : cols / weight_cols;
  }
};

}  // namespace pqw
