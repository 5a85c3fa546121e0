// Integer tables of many rows of x side by side. Each lookup_*.cpp compiles them for its own
// instructions.
#pragma once

#include "kernels/lookup_tables.h"

namespace pqw::kernels {
namespace {

// kVectors of V hold words of the rows of x side by side; floats are in vectors F.
template <TableLanes V, std::size_t kVectors, Widening F = V>
struct Batch {
  using Integers = typename V::Integers;
  using Shorts = typename V::Shorts;
  static constexpr std::size_t kWords = 2 * V::kLanes;  // of a vector
  static constexpr std::size_t kRows = kVectors * kWords;

  // kPairs: n_pairs if the compiler is to know it, else 0.
  template <std::size_t kPairs>
  static void build_pairs(const std::int16_t* x, const std::int16_t* centroids, std::size_t n_pairs,
                          std::size_t n_centroids, std::uint16_t* table) {
    const Integers half = Integers{} + (1 << 15);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto column = [&](std::size_t pair, std::size_t odd) {
        return load<Integers>(x + pair * 2 * kRows + v * 2 * kWords + odd * kWords);
      };
      Integers columns[kPairs + 1][2];  // stay in registers
#pragma GCC unroll 8
      for (std::size_t pair = 0; pair < kPairs; ++pair) {
        columns[pair][0] = column(pair, 0);
        columns[pair][1] = column(pair, 1);
      }
      for (std::size_t k = 0; k < n_centroids; ++k) {
        Integers even = half, odd = half;
#pragma GCC unroll 8
        for (std::size_t pair = 0; pair < (kPairs > 0 ? kPairs : n_pairs); ++pair) {
          std::int32_t both;
          std::memcpy(&both, centroids + 2 * (k * n_pairs + pair), sizeof(both));
          const Integers factor = Integers{} + both;
          even = V::add_dot(even, factor, kPairs > 0 ? columns[pair][0] : column(pair, 0));
          odd = V::add_dot(odd, factor, kPairs > 0 ? columns[pair][1] : column(pair, 1));
        }
        store(V::high_halves(even, odd), table + k * kRows + v * kWords);
      }
    }
  }

  static void build(const std::int16_t* x, const std::int16_t* centroids, std::size_t n_pairs,
                    std::size_t n_centroids, std::uint16_t* table) {
    switch (n_pairs) {
      case 1:
        return build_pairs<1>(x, centroids, n_pairs, n_centroids, table);
      case 2:
        return build_pairs<2>(x, centroids, n_pairs, n_centroids, table);
      case 4:
        return build_pairs<4>(x, centroids, n_pairs, n_centroids, table);
      case 8:
        return build_pairs<8>(x, centroids, n_pairs, n_centroids, table);
      default:
        return build_pairs<0>(x, centroids, n_pairs, n_centroids, table);
    }
  }

  static void sweep(const std::uint8_t* codes, const std::uint16_t* tables, std::uint16_t* sums) {
    constexpr std::size_t kTable = kWideCentroids * kRows;
    for (std::size_t r = 0; r < kTileRows; ++r) {
      Shorts words[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        words[v] = load<Shorts>(sums + r * kRows + v * kWords);
      }
#pragma GCC unroll 4
      for (std::size_t b = 0; b < kQuadBytes; ++b) {
        const std::uint16_t* entries = tables + b * kTable + codes[b * kTileRows + r] * kRows;
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          words[v] += load<Shorts>(entries + v * kWords);
        }
      }
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) store(words[v], sums + r * kRows + v * kWords);
    }
  }

  static void flush(std::uint16_t* sums, const float* scales, float* totals) {
    using LaneShorts = typename F::LaneShorts;
    using Floats = typename F::Floats;
    for (std::size_t r = 0; r < kTileRows; ++r, sums += kRows, totals += kRows) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kRows; i += F::kLanes) {
        const auto integers = F::widened(sums + i);
        const Floats products =
            __builtin_convertvector(integers, Floats) * load<Floats>(scales + i);
        store(load<Floats>(totals + i) + products, totals + i);
        store(LaneShorts{}, sums + i);
      }
    }
  }
};

template <TableLanes V, std::size_t kVectors, Widening F = V>
constexpr BatchLookupKernel batch_lookup(BatchLookupKernel::Cycles cycles) {
  using B = Batch<V, kVectors, F>;
  return {.rows = B::kRows,
          .vector_words = B::kWords,
          .build = B::build,
          .sweep = B::sweep,
          .flush = B::flush,
          .cycles = cycles};
}

}  // namespace
}  // namespace pqw::kernels
