// Integer tables of many rows of x side by side. Each lookup_*.cpp compiles them for its own
// instructions.
#pragma once

#include "kernels/lookup_tables.h"

namespace pqw::kernels {
namespace {

// The vector that an instruction set supplies: words of the rows of x that stand side by side.
template <class V>
concept BatchLanes = TableLanes<V> &&
    requires(V a, V b, const std::uint16_t* from, const float* scales, float* to) {
  { V::load_words(from) } -> std::same_as<V>;
  { V::add_words(a, b) } -> std::same_as<V>;
  // to[i] += a[i] * scales[i] for the words i, product and sum each rounded
  { V::add_scaled_words(a, scales, to) } -> std::same_as<void>;
};

// kVectors of them hold the rows of x.
template <BatchLanes V, std::size_t kVectors>
struct Batch {
  static constexpr std::size_t kWords = 2 * V::kLanes;  // of a vector
  static constexpr std::size_t kRows = kVectors * kWords;

  // kPairs: n_pairs if the compiler is to know it, else 0.
  template <std::size_t kPairs>
  static void build_pairs(const std::int16_t* x, const std::int16_t* centroids, std::size_t n_pairs,
                          std::size_t n_centroids, std::uint16_t* table) {
    const V half = V::set(1 << 15);
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto load = [&](std::size_t pair, std::size_t odd) {
        return V::load(x + pair * 2 * kRows + v * 2 * kWords + odd * kWords);
      };
      V columns[kPairs + 1][2];  // stay in registers
#pragma GCC unroll 8
      for (std::size_t pair = 0; pair < kPairs; ++pair) {
        columns[pair][0] = load(pair, 0);
        columns[pair][1] = load(pair, 1);
      }
      for (std::size_t k = 0; k < n_centroids; ++k) {
        V even = half, odd = half;
#pragma GCC unroll 8
        for (std::size_t pair = 0; pair < (kPairs > 0 ? kPairs : n_pairs); ++pair) {
          std::int32_t both;
          std::memcpy(&both, centroids + 2 * (k * n_pairs + pair), sizeof(both));
          const V factor = V::set(both);
          even = V::add_dot(even, factor, kPairs > 0 ? columns[pair][0] : load(pair, 0));
          odd = V::add_dot(odd, factor, kPairs > 0 ? columns[pair][1] : load(pair, 1));
        }
        V::high_halves(even, odd).store(table + k * kRows + v * kWords);
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
      V words[kVectors];
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        words[v] = V::load_words(sums + r * kRows + v * kWords);
      }
#pragma GCC unroll 4
      for (std::size_t b = 0; b < kQuadBytes; ++b) {
        const std::uint16_t* entries = tables + b * kTable + codes[b * kTileRows + r] * kRows;
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) {
          words[v] = V::add_words(words[v], V::load_words(entries + v * kWords));
        }
      }
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) words[v].store(sums + r * kRows + v * kWords);
    }
  }

  static void flush(std::uint16_t* sums, const float* scales, float* totals) {
    for (std::size_t r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 8
      for (std::size_t v = 0; v < kVectors; ++v) {
        const std::size_t at = r * kRows + v * kWords;
        V::add_scaled_words(V::load_words(sums + at), scales + v * kWords, totals + at);
        V::set(0).store(sums + at);
      }
    }
  }
};

template <BatchLanes V, std::size_t kVectors>
constexpr BatchLookupKernel batch_lookup(BatchLookupKernel::Cycles cycles) {
  using B = Batch<V, kVectors>;
  return {.rows = B::kRows,
          .vector_words = B::kWords,
          .build = B::build,
          .sweep = B::sweep,
          .flush = B::flush,
          .cycles = cycles};
}

}  // namespace
}  // namespace pqw::kernels
