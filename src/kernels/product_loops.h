// The loops of product.h. Each product_*.cpp compiles them for its own instructions.
#pragma once

#include <concepts>

#include "kernels/lookup.h"
#include "kernels/product.h"

namespace pqw::kernels {
namespace {

// The vectors that an instruction set supplies: kLanes floats. The operations work lane by lane;
// addresses need no alignment.
template <class V>
concept ProductFloats = requires(V a, V b, V c, const float* from, float* to) {
  requires V::kLanes >= 1;
  { V::set(0.0f) } -> std::convertible_to<V>;  // the number in all lanes
  { V::load(from) } -> std::convertible_to<V>;
  { a.store(to) } -> std::same_as<void>;
  { V::add(a, b) } -> std::convertible_to<V>;
  { V::add_product(a, b, c) } -> std::same_as<V>;  // a + b * c; of pairs of bfloat16 a sum of two
};

// The sums of kDecodeRows rows of W and kDecodeVectors vectors of x stay in registers.
template <class V>
concept DecodeFloats = ProductFloats<V> && requires {
  requires kTileRows % V::kDecodeRows == 0;
  requires V::kDecodeVectors == 2 || V::kDecodeVectors == 3;
};

template <ProductFloats V>
void build_tables(const float* x, std::size_t n_columns, const float* centroids,
                  std::size_t block_size, std::size_t n_centroids, float* table) {
  constexpr std::size_t kAtOnce = 8;
  std::size_t k = 0;
  for (; k + kAtOnce <= n_centroids; k += kAtOnce) {
    V sums[kAtOnce];
#pragma GCC unroll 8
    for (V& sum : sums) sum = V::set(0);
    for (std::size_t j = 0; j < n_columns; ++j) {
      const V column = V::load(x + j * V::kLanes);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kAtOnce; ++i) {
        sums[i] = V::add_product(sums[i], column, V::set(centroids[(k + i) * block_size + j]));
      }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kAtOnce; ++i) sums[i].store(table + (k + i) * V::kLanes);
  }
  for (; k < n_centroids; ++k) {
    V sum = V::set(0);
    for (std::size_t j = 0; j < n_columns; ++j) {
      sum = V::add_product(sum, V::load(x + j * V::kLanes), V::set(centroids[k * block_size + j]));
    }
    sum.store(table + k * V::kLanes);
  }
}

// V1: a lane of V alone, with the same roundings.
template <ProductFloats V, ProductFloats V1>
void build_table_of_row(const float* x, std::size_t n_columns, const float* transposed,
                        std::size_t n_centroids, float* table) {
  std::size_t k = 0;
  for (; k + V::kLanes <= n_centroids; k += V::kLanes) {
    V sum = V::set(0);
    for (std::size_t j = 0; j < n_columns; ++j) {
      sum = V::add_product(sum, V::set(x[j]), V::load(transposed + j * n_centroids + k));
    }
    sum.store(table + k);
  }
  for (; k < n_centroids; ++k) {
    V1 sum = V1::set(0);
    for (std::size_t j = 0; j < n_columns; ++j) {
      sum = V1::add_product(sum, V1::set(x[j]), V1::load(transposed + j * n_centroids + k));
    }
    sum.store(table + k);
  }
}

template <ProductFloats V>
void sweep_tables(const std::uint16_t* codes, std::size_t n_units, const float* tables,
                  std::size_t table_floats, float* sums) {
  constexpr std::size_t kRows = 8;
  for (std::size_t r = 0; r < kTileRows; r += kRows) {
    V row_sums[kRows];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) row_sums[i] = V::load(sums + (r + i) * V::kLanes);
    for (std::size_t u = 0; u < n_units; ++u) {
      const std::uint16_t* code = codes + u * kTileRows + r;
      const float* table = tables + u * table_floats;
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kRows; ++i) {
        row_sums[i] = V::add(row_sums[i], V::load(table + code[i] * V::kLanes));
      }
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kRows; ++i) row_sums[i].store(sums + (r + i) * V::kLanes);
  }
}

template <DecodeFloats V, std::size_t kVectors>
void multiply_rows(const std::uint16_t* codes, std::size_t n_columns, const float* const* centroids,
                   std::size_t block_size, const float* x, float* sums) {
  constexpr std::size_t kRows = V::kDecodeRows;
  constexpr std::size_t kFloats = kVectors * V::kLanes;
  V row_sums[kRows][kVectors];
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
    for (std::size_t v = 0; v < kVectors; ++v) {
      row_sums[i][v] = V::load(sums + i * kFloats + v * V::kLanes);
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
        columns[v] = V::load(x + (first + j) * kFloats + v * V::kLanes);
      }
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kRows; ++i) {
        const V value = V::set(row_centroids[i][j]);
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) {
          row_sums[i][v] = V::add_product(row_sums[i][v], columns[v], value);
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
      row_sums[i][v].store(sums + i * kFloats + v * V::kLanes);
    }
  }
}

template <DecodeFloats V, std::size_t kVectors>
void multiply_tile(const std::uint16_t* codes, std::size_t n_columns, const float* const* centroids,
                   std::size_t block_size, const float* x, float* sums) {
  for (std::size_t r = 0; r < kTileRows; r += V::kDecodeRows) {
    multiply_rows<V, kVectors>(codes + r, n_columns, centroids, block_size, x,
                               sums + r * kVectors * V::kLanes);
  }
}

template <DecodeFloats V>
void multiply_decoded(const std::uint16_t* codes, std::size_t n_columns,
                      const float* const* centroids, std::size_t block_size, const float* x,
                      std::size_t n_vectors, float* sums) {
  if (n_vectors == 1) {
    multiply_tile<V, 1>(codes, n_columns, centroids, block_size, x, sums);
  } else if (n_vectors == 2 || V::kDecodeVectors == 2) {
    multiply_tile<V, 2>(codes, n_columns, centroids, block_size, x, sums);
  } else {
    multiply_tile<V, V::kDecodeVectors>(codes, n_columns, centroids, block_size, x, sums);
  }
}

}  // namespace
}  // namespace pqw::kernels
