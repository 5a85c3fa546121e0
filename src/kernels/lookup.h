// Table lookups: the inner loops of multiplying from codes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// table[k] = Σ_j x[j] * codebook[k][j]. Layout: codebook is float[n_centroids][stride]; the first
// n_columns of each centroid count (fewer than the block size at the tail of a row).
void build_table(const float* x, std::size_t n_columns, const float* codebook,
                 std::size_t n_centroids, std::size_t stride, float* table);

// sums[r] += table[codes[r]] for r < n.
void add_lookups(const float* table, const std::uint16_t* codes, std::size_t n, float* sums);

}  // namespace pqw::kernels
