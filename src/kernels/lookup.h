// Table lookups: the inner loops of multiplying from codes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// table[k] = Σ_j x[j] * c[k][j] over j < n_columns (fewer than the block size at the tail of a
// row). Layout: `centroids` is transposed, float[block size][n_centroids], centroid k in column k.
// REQUIRES: n_columns >= 1.
void build_table(const float* x, std::size_t n_columns, const float* centroids,
                 std::size_t n_centroids, float* table);

// sums[r] += table[codes[r]] for r < n.
void add_lookups(const float* table, const std::uint16_t* codes, std::size_t n, float* sums);

}  // namespace pqw::kernels
