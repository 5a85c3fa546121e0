// Sums of entries of narrow codes without vectors. Each lookup_*.cpp compiles them for its own
// instructions.
// Layout: tables are uint16[position][16]; codes are not interleaved.
#pragma once

#include "kernels/lookup_tables.h"

namespace pqw::kernels {
namespace {

// The entries of byte b of a quad for a code byte.
inline std::uint32_t entries(const std::uint16_t* tables, std::size_t b, std::size_t code) {
  const std::uint16_t* low = tables + b * kNarrowCentroids;
  const std::uint16_t* high = low + kQuadBytes * kNarrowCentroids;
  return static_cast<std::uint32_t>(low[code & 15] + high[code >> 4]);
}

template <Entries kEntries>
void sweep_narrow_words(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                        std::size_t n_tiles, const std::uint8_t* tables, float scale,
                        std::uint8_t* scratch, float* sums) {
  constexpr std::size_t kQuadWords = kQuadBytes * 2 * kNarrowCentroids;
  auto* totals = reinterpret_cast<std::uint32_t*>(scratch);
  std::memset(totals, 0, n_tiles * kTileRows * sizeof(*totals));
  for (std::size_t quad = 0; quad < n_quads; ++quad) {
    const auto* words = reinterpret_cast<const std::uint16_t*>(tables) + quad * kQuadWords;
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::uint8_t* at = codes + quad * quad_stride + tile * kTileBytes;
      std::uint32_t* total = totals + tile * kTileRows;
      for (std::size_t r = 0; r < kTileRows; ++r) {
        total[r] += entries(words, 0, at[r]) + entries(words, 1, at[r + kTileRows]) +
                    entries(words, 2, at[r + 2 * kTileRows]) +
                    entries(words, 3, at[r + 3 * kTileRows]);
      }
    }
  }
  const std::uint32_t offset = offset_of<kEntries, Codes::kNarrow>(n_quads);
  for (std::size_t r = 0; r < n_tiles * kTileRows; ++r) {
    sums[r] += static_cast<float>(static_cast<std::int32_t>(totals[r] - offset)) * scale;
  }
}

}  // namespace
}  // namespace pqw::kernels
