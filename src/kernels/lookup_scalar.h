// Sums of table entries that are loaded one at a time. Each lookup_*.cpp compiles them for its own
// instructions.
#pragma once

#include "kernels/lookup_tables.h"

namespace pqw::kernels {
namespace {

// Loads are the limit: a code costs one, and its entry another. So the codes of some positions of a
// quad come four at a time, in a word that is taken apart; of all of them, that would take longer
// than loading.
constexpr std::size_t kWordPositions = 3;

// Quads whose tables stay in the L1 cache, together with their codes.
constexpr std::size_t kQuadsAtOnce = 4;

// sums[row] += the entries of the codes of each row of a tile, one after another. The sums of four
// rows stay in registers.
template <class T, std::size_t kQuads>
void add_tile(const std::uint8_t* __restrict codes, std::size_t quad_stride,
              const T* __restrict tables, T* __restrict sums) {
  for (std::size_t r = 0; r < kTileRows; r += 4, codes += 4, sums += 4) {
    T sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
#pragma GCC unroll 32
    for (std::size_t i = 0; i < kQuads * kQuadBytes; ++i) {
      const std::uint8_t* at = codes + i / kQuadBytes * quad_stride + i % kQuadBytes * kTileRows;
      const T* table = tables + i * kWideCentroids;
      if (i % kQuadBytes < kWordPositions) {
        const auto word = load<std::uint32_t>(at);
        sum0 += table[word & 255];
        sum1 += table[word >> 8 & 255];
        sum2 += table[word >> 16 & 255];
        sum3 += table[word >> 24];
      } else {
        sum0 += table[at[0]];
        sum1 += table[at[1]];
        sum2 += table[at[2]];
        sum3 += table[at[3]];
      }
    }
    sums[0] = sum0, sums[1] = sum1, sums[2] = sum2, sums[3] = sum3;
  }
}

// The same of n_tiles tiles. Layout: tables are T[n_quads * kQuadBytes][kWideCentroids], sums
// T[n_tiles][64].
template <class T>
void add_entries(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                 std::size_t n_tiles, const T* tables, T* sums) {
  for (std::size_t quad = 0; quad < n_quads;) {
    const std::size_t n = quad + kQuadsAtOnce <= n_quads ? kQuadsAtOnce : 1;
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::uint8_t* at = codes + tile * kTileBytes;
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t line = 0; line < kTileBytes; line += 64) {
          prefetch(at + i * quad_stride + line);
        }
      }
      T* tile_sums = sums + tile * kTileRows;
      if (n == 1) {
        add_tile<T, 1>(at, quad_stride, tables, tile_sums);
      } else {
        add_tile<T, kQuadsAtOnce>(at, quad_stride, tables, tile_sums);
      }
    }
    quad += n;
    codes += n * quad_stride;
    tables += n * kQuadBytes * kWideCentroids;
  }
}

// The sums of a tile in scratch: int32[64], by row.
template <class V>
void sweep_integers(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                    std::size_t n_tiles, const std::uint8_t* tables, float scale,
                    std::uint8_t* scratch, float* sums) {
  auto* totals = reinterpret_cast<std::int32_t*>(scratch);
  std::memset(totals, 0, n_tiles * kTileRows * sizeof(*totals));
  add_entries(codes, quad_stride, n_quads, n_tiles, reinterpret_cast<const std::int32_t*>(tables),
              totals);
  for (std::size_t r = 0; r < n_tiles * kTileRows; r += V::kLanes) {
    add_scaled<V>(load<typename V::Numbers>(totals + r), scale, sums + r);
  }
}

inline void sweep_floats(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                         std::size_t n_tiles, const float* tables, float* sums) {
  add_entries(codes, quad_stride, n_quads, n_tiles, tables, sums);
}

// Of codes that are not interleaved.
constexpr FloatLookupKernel float_lookup(float sweep_per_tile_byte) {
  return {.arrange = nullptr,
          .sweep = sweep_floats,
          .order = keep_order,
          .cycles = {.sweep_per_tile_byte = sweep_per_tile_byte, .arrange_per_entry = 0}};
}

}  // namespace
}  // namespace pqw::kernels
