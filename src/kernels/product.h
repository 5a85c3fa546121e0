// The inner loops of products from codes with floats, for many rows of x at a time.
//
// Rows of x stand side by side in the lanes of vectors. Codes come unpacked, uint16[units][64]: the
// tables or centroids of a unit (a position, or two that share a byte) for the 64 rows of a tile.
// The sums of a lane run over the units in order, one rounding each: they depend neither on the
// other lanes nor on how the units are divided into calls.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

struct ProductKernels {
  std::size_t lanes;
  std::size_t most_vectors;  // of `multiply_decoded`

  // table[k][lane] = Σ_j x[j][lane] * centroids[k][j] over j < n_columns <= block_size.
  void (*build)(const float* x, std::size_t n_columns, const float* centroids,
                std::size_t block_size, std::size_t n_centroids, float* table);

  // The same for one row of x: table[k] = Σ_j x[j] * transposed[j][k].
  void (*build_row)(const float* x, std::size_t n_columns, const float* transposed,
                    std::size_t n_centroids, float* table);

  // sums[row][lane] += Σ_u tables[u][codes[u][row]][lane]; tables are table_floats apart.
  void (*sweep)(const std::uint16_t* codes, std::size_t n_units, const float* tables,
                std::size_t table_floats, float* sums);

  // The same for one row of x: a lane alone.
  void (*sweep_row)(const std::uint16_t* codes, std::size_t n_units, const float* tables,
                    std::size_t table_floats, float* sums);

  // sums[row][v][lane] += Σ_u Σ_j x[u * block_size + j][v][lane] * centroids_u[codes[u][row]][j],
  // over n_columns columns in all, for v < n_vectors <= most_vectors and row < n_rows. Rows of the
  // sums are sums_stride floats apart. If is_first, the sums begin with zero.
  void (*multiply_decoded)(const std::uint16_t* codes, std::size_t n_rows, std::size_t n_columns,
                           const float* const* centroids, std::size_t block_size, const float* x,
                           std::size_t n_vectors, float* sums, std::size_t sums_stride,
                           bool is_first);

  // `multiply_decoded` with pairs of bfloat16 values, the first one in the low half, in the place
  // of the floats of x and of the centroids: a pair counts as a column. Null without the
  // instructions.
  void (*multiply_decoded_bfloat16)(const std::uint16_t* codes, std::size_t n_rows,
                                    std::size_t n_columns, const float* const* centroids,
                                    std::size_t block_size, const float* x, std::size_t n_vectors,
                                    float* sums, std::size_t sums_stride, bool is_first);

  // Cycles of one thread, for the choice of a method; measured by scripts/bench kernels. "Vector":
  // a multiply-add of one, in `multiply_decoded_bfloat16` of a vector of pairs.
  struct Cycles {
    float build_per_vector;
    float sweep_per_code;
    float sweep_row_per_code;
    float decoded_per_vector;
    float bfloat16_per_vector;
  } cycles;
};

extern const ProductKernels product_portable;
extern const ProductKernels product_avx2;        // AVX2 and FMA
extern const ProductKernels product_avx512;      // AVX-512 F
extern const ProductKernels product_avx512bf16;  // the same and BF16
extern const ProductKernels product_neon;

}  // namespace pqw::kernels
