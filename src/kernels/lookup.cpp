// Table lookups, portable.
#include "kernels/lookup.h"

namespace pqw::kernels {

void build_table(const float* x, std::size_t n_columns, const float* codebook,
                 std::size_t n_centroids, std::size_t stride, float* table) {
  for (std::size_t k = 0; k < n_centroids; ++k) {
    float sum = 0;
    for (std::size_t j = 0; j < n_columns; ++j) sum += x[j] * codebook[k * stride + j];
    table[k] = sum;
  }
}

void add_lookups(const float* table, const std::uint16_t* codes, std::size_t n, float* sums) {
  for (std::size_t r = 0; r < n; ++r) sums[r] += table[codes[r]];
}

}  // namespace pqw::kernels
