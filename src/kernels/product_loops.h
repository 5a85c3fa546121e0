// The loops of product.h. Each product_*.cpp compiles them for its own instructions.
#pragma once

#include "kernels/lookup.h"
#include "kernels/product.h"
#include "kernels/vectors.h"

namespace pqw::kernels {
namespace {

template <class V>
void build_tables(const float* x, std::size_t n_columns, const float* centroids,
                  std::size_t block_size, std::size_t n_centroids, float* table) {
  constexpr std::size_t kAtOnce = 8;
  std::size_t k = 0;
  for (; k + kAtOnce <= n_centroids; k += kAtOnce) {
    V sums[kAtOnce] = {};
    for (std::size_t j = 0; j < n_columns; ++j) {
      const V column = load<V>(x + j * kLanesOf<V>);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kAtOnce; ++i) {
        sums[i] += column * centroids[(k + i) * block_size + j];
      }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kAtOnce; ++i) store(sums[i], table + (k + i) * kLanesOf<V>);
  }
  for (; k < n_centroids; ++k) {
    V sum = {};
    for (std::size_t j = 0; j < n_columns; ++j) {
      sum += load<V>(x + j * kLanesOf<V>) * centroids[k * block_size + j];
    }
    store(sum, table + k * kLanesOf<V>);
  }
}

template <class V>
void build_table_of_row(const float* x, std::size_t n_columns, const float* transposed,
                        std::size_t n_centroids, float* table) {
  constexpr std::size_t kAtOnce = 8;  // sums that do not wait for each other
  std::size_t k = 0;
  for (; k + kAtOnce * kLanesOf<V> <= n_centroids; k += kAtOnce * kLanesOf<V>) {
    V sums[kAtOnce] = {};
    for (std::size_t j = 0; j < n_columns; ++j) {
      const float* row = transposed + j * n_centroids + k;
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kAtOnce; ++i) sums[i] += load<V>(row + i * kLanesOf<V>) * x[j];
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kAtOnce; ++i) store(sums[i], table + k + i * kLanesOf<V>);
  }
  for (; k < n_centroids; ++k) {
    table[k] = 0;
    for (std::size_t j = 0; j < n_columns; ++j) table[k] += transposed[j * n_centroids + k] * x[j];
  }
}

template <class V>
void sweep_tables(const std::uint16_t* codes, std::size_t n_units, const float* tables,
                  std::size_t table_floats, float* sums) {
  constexpr std::size_t kRows = 8;
  for (std::size_t r = 0; r < kTileRows; r += kRows) {
    V row_sums[kRows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) row_sums[i] = load<V>(sums + (r + i) * kLanesOf<V>);
    for (std::size_t u = 0; u < n_units; ++u) {
      const std::uint16_t* code = codes + u * kTileRows + r;
      const float* table = tables + u * table_floats;
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kRows; ++i) {
        row_sums[i] += load<V>(table + code[i] * kLanesOf<V>);
      }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) store(row_sums[i], sums + (r + i) * kLanesOf<V>);
  }
}

template <class V>
inline V add_product(V sum, V column, float value) {
  return sum + column * value;
}

// The sums of kRows rows of W and kVectors vectors of x stay in registers.
template <class V, auto add, std::size_t kRows, std::size_t kVectors>
void multiply_rows(const std::uint16_t* codes, std::size_t n_columns, const float* const* centroids,
                   std::size_t block_size, const float* x, float* sums, std::size_t sums_stride,
                   bool is_first) {
  constexpr std::size_t kFloats = kVectors * kLanesOf<V>;
  V row_sums[kRows][kVectors];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      row_sums[i][v] = is_first ? V{} : load<V>(sums + i * sums_stride + v * kLanesOf<V>);
    }
  }
  for (std::size_t first = 0; first < n_columns; first += block_size) {
    const std::size_t rest = n_columns - first;
    const std::size_t n = rest < block_size ? rest : block_size;
    const float* row_centroids[kRows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) row_centroids[i] = *centroids + codes[i] * block_size;
    for (std::size_t j = 0; j < n; ++j) {
      V columns[kVectors];
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        columns[v] = load<V>(x + (first + j) * kFloats + v * kLanesOf<V>);
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kRows; ++i) {
        const float value = row_centroids[i][j];
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) {
          row_sums[i][v] = add(row_sums[i][v], columns[v], value);
        }
      }
    }
    codes += kTileRows;
    ++centroids;
  }
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      store(row_sums[i][v], sums + i * sums_stride + v * kLanesOf<V>);
    }
  }
}

template <class V, auto add, std::size_t kRows, std::size_t kVectors>
void multiply_tile(const std::uint16_t* codes, std::size_t n_rows, std::size_t n_columns,
                   const float* const* centroids, std::size_t block_size, const float* x,
                   float* sums, std::size_t sums_stride, bool is_first) {
  std::size_t r = 0;
  for (; r + kRows <= n_rows; r += kRows) {
    multiply_rows<V, add, kRows, kVectors>(codes + r, n_columns, centroids, block_size, x,
                                           sums + r * sums_stride, sums_stride, is_first);
  }
  if constexpr (kRows > 1) {
    if (r == n_rows) return;
    multiply_tile<V, add, kRows / 2, kVectors>(codes + r, n_rows - r, n_columns, centroids,
                                               block_size, x, sums + r * sums_stride, sums_stride,
                                               is_first);
  }
}

template <class V, auto add, std::size_t kRows, std::size_t kMost>
void multiply_decoded(const std::uint16_t* codes, std::size_t n_rows, std::size_t n_columns,
                      const float* const* centroids, std::size_t block_size, const float* x,
                      std::size_t n_vectors, float* sums, std::size_t sums_stride, bool is_first) {
  if (n_vectors == 1) {
    multiply_tile<V, add, kRows, 1>(codes, n_rows, n_columns, centroids, block_size, x, sums,
                                    sums_stride, is_first);
  } else if (n_vectors == 2 || kMost == 2) {
    multiply_tile<V, add, kRows, 2>(codes, n_rows, n_columns, centroids, block_size, x, sums,
                                    sums_stride, is_first);
  } else {
    multiply_tile<V, add, kRows, kMost>(codes, n_rows, n_columns, centroids, block_size, x, sums,
                                        sums_stride, is_first);
  }
}

// Of an instruction set with vectors V, whose registers hold the sums of kRows rows of W and up to
// kMost vectors of x.
template <class V, std::size_t kRows, std::size_t kMost>
constexpr ProductKernels product_kernels(ProductKernels::Cycles cycles) {
  static_assert(kTileRows % kRows == 0 && (kMost == 2 || kMost == 3));
  return {.lanes = kLanesOf<V>,
          .most_vectors = kMost,
          .build = build_tables<V>,
          .build_row = build_table_of_row<V>,
          .sweep = sweep_tables<V>,
          .sweep_row = sweep_tables<float>,
          .multiply_decoded = multiply_decoded<V, add_product<V>, kRows, kMost>,
          .multiply_decoded_bfloat16 = nullptr,
          .cycles = cycles};
}

}  // namespace
}  // namespace pqw::kernels
