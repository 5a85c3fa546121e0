// Converts codebooks and rows of x to integers, from which kernels build integer tables.
//
// By the Cauchy-Schwarz inequality, no product of a block and a centroid exceeds the product of
// their norms. So scales that keep both norms below 46,340 keep all products in int32; the products
// themselves need no check.
#pragma once

#include <cstdint>
#include <vector>

#include "codecs/product/scratch.h"
#include "pqw/codecs/pq.h"

namespace pqw {

class IntegerCodebooks {
 public:
  static constexpr std::size_t kInOrder = 0;

  // Takes `codebooks` in place of the codebooks of the weight, for tables of n_entries >=
  // weight.n_centroids that kernels with `lanes` lanes build; kInOrder:
  // int16[n_entries][2*n_pairs]. `n_padded_positions` >= weight.positions().
  IntegerCodebooks(const PqWeight& weight, const std::vector<float>& codebooks,
                   std::size_t n_entries, std::size_t lanes, std::size_t n_padded_positions);

  std::size_t n_pairs() const { return n_pairs_; }
  // The centroids of each padded position, in order or in the layout of kernels::centroid_place.
  const std::int16_t* const* centroids() const { return centroids_.data(); }
  // The value of an integer 1 in the centroids of each padded position.
  const double* steps() const { return steps_.data(); }
  // Whether all positions share a codebook.
  bool has_one() const { return has_one_; }

 private:
  std::size_t n_pairs_;
  bool has_one_;
  AlignedBytes values_;
  std::vector<const std::int16_t*> centroids_;
  std::vector<double> steps_;
};

// Writes positions first .. first+n-1 of a row of x as int16[n][2 * n_pairs] for the codebooks.
// `factor` turns products of these integers and the integers of the centroids into real values; it
// is 0 if the row is zero here. The products are `headroom` times smaller than int32 could hold.
// Returns false if a value is not finite, or factor * 2^16 is not a normal float.
bool quantize_positions(const float* x, std::size_t n_columns, std::size_t block_size,
                        const IntegerCodebooks& codebooks, std::size_t first, std::size_t n,
                        std::size_t headroom, std::int16_t* out, double* factor);

}  // namespace pqw
