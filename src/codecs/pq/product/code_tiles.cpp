// Codes in the layout of the kernels.
#include "codecs/pq/product/code_tiles.h"

#include <algorithm>
#include <cassert>
#include <cstring>

namespace pqw {

using kernels::kBlockBytes;
using kernels::kSweepTiles;
using kernels::kTileBytes;
using kernels::kTileRows;

CodeWidth code_width(std::size_t n_centroids) {
  if (n_centroids <= kernels::kNarrowCentroids) return CodeWidth::kNarrow;
  return n_centroids <= kernels::kWideCentroids ? CodeWidth::kWide : CodeWidth::kLarge;
}

CodeTiles::CodeTiles(const PqWeight& weight, bool interleaved_narrow)
    : width_(code_width(weight.n_centroids)),
      interleaved_(interleaved_narrow && width_ == CodeWidth::kNarrow),
      n_tiles_((weight.rows() + kTileRows - 1) / kTileRows),
      n_blocks_((weight.positions() + positions_per_block() - 1) / positions_per_block()) {
  const std::size_t n_bytes = n_blocks_ * n_tiles_ * kTileBytes * element_bytes();
  elements_ = allocate_aligned(n_bytes);
  std::fill_n(elements_.get(), n_bytes, std::byte{0});
  for (std::size_t p = 0; p < weight.positions(); ++p) {
    const std::span<const std::uint16_t> codes = weight.codes_of(p);
    for (std::size_t r = 0; r < codes.size(); ++r) place(r, p, codes[r]);
  }
}

void CodeTiles::place(std::size_t row, std::size_t position, std::uint16_t code) {
  const std::size_t block = position / positions_per_block();
  const std::size_t within = position % positions_per_block();
  const std::size_t byte = within % kBlockBytes;
  const std::size_t r = row % kTileRows;
  const std::size_t element = interleaved_ ? r * kBlockBytes + byte : byte * kTileRows + r;
  std::byte* at = elements_.get() + offset_of(row / kTileRows, block) + element * element_bytes();
  if (width_ == CodeWidth::kLarge) {
    std::memcpy(at, &code, sizeof(code));
  } else {
    *at |= static_cast<std::byte>(code << (within < kBlockBytes ? 0 : 4));
  }
}

std::size_t CodeTiles::block_stride(std::size_t tile) const {
  const std::size_t run = tile - tile % kSweepTiles;
  return std::min(kSweepTiles, n_tiles_ - run) * kTileBytes * element_bytes();
}

std::size_t CodeTiles::offset_of(std::size_t tile, std::size_t block) const {
  const std::size_t tile_bytes = kTileBytes * element_bytes();
  const std::size_t run = tile - tile % kSweepTiles;
  return run * n_blocks_ * tile_bytes + block * block_stride(tile) + (tile - run) * tile_bytes;
}

const std::uint8_t* CodeTiles::bytes_of(std::size_t tile, std::size_t block) const {
  assert(width_ != CodeWidth::kLarge);
  return reinterpret_cast<const std::uint8_t*>(elements_.get()) + offset_of(tile, block);
}

void CodeTiles::unpack_units(std::size_t tile, std::size_t first, std::size_t n,
                             std::uint16_t* out) const {
  for (std::size_t u = first; u < first + n; ++u, out += kTileRows) {
    const std::byte* block = elements_.get() + offset_of(tile, u / kBlockBytes);
    const std::size_t byte = u % kBlockBytes;
    if (width_ == CodeWidth::kLarge) {
      std::memcpy(out, block + byte * kTileRows * 2, kTileRows * 2);
      continue;
    }
    const auto* codes = reinterpret_cast<const std::uint8_t*>(block);
    if (interleaved_) {
      for (std::size_t r = 0; r < kTileRows; ++r) out[r] = codes[r * kBlockBytes + byte];
    } else {
      for (std::size_t r = 0; r < kTileRows; ++r) out[r] = codes[byte * kTileRows + r];
    }
  }
}

void CodeTiles::unpack_positions(std::size_t tile, std::size_t first, std::size_t n,
                                 std::uint16_t* out) const {
  if (width_ != CodeWidth::kNarrow) return unpack_units(tile, first, n, out);
  constexpr std::size_t kHalf = kBlockBytes * kTileRows;
  for (std::size_t p = first; p < first + n; p += 2 * kBlockBytes, out += 2 * kHalf) {
    unpack_units(tile, p / 2, kBlockBytes, out);
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[kHalf + i] = static_cast<std::uint16_t>(out[i] >> 4);
      out[i] &= 15;
    }
  }
}

}  // namespace pqw
