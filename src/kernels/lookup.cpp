// Table lookups, portable.
#include "kernels/lookup.h"

namespace pqw::kernels {

void build_table(const float* x, std::size_t n_columns, const float* centroids,
                 std::size_t n_centroids, float* table) {
  for (std::size_t k = 0; k < n_centroids; ++k) table[k] = x[0] * centroids[k];
  for (std::size_t j = 1; j < n_columns; ++j) {
    for (std::size_t k = 0; k < n_centroids; ++k) table[k] += x[j] * centroids[j * n_centroids + k];
  }
}

void add_lookups(const float* table, const std::uint16_t* codes, std::size_t n, float* sums) {
  for (std::size_t r = 0; r < n; ++r) sums[r] += table[codes[r]];
}

}  // namespace pqw::kernels
