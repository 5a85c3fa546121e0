// Codes in the layout of the kernels.
#include "codecs/pq/product/code_tiles.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

namespace pqw {

using kernels::kQuadBytes;
using kernels::kSweepTiles;
using kernels::kTileBytes;
using kernels::kTileRows;

namespace {

// That byte of the four of each row; a form that compilers vectorise.
void copy_byte(const std::uint8_t* quad, std::size_t byte, std::uint8_t* out) {
  static_assert(std::endian::native == std::endian::little && kQuadBytes == 4);
  std::uint32_t rows[kTileRows];
  std::memcpy(rows, quad, sizeof(rows));
  for (std::size_t r = 0; r < kTileRows; ++r) {
    out[r] = static_cast<std::uint8_t>(rows[r] >> (8 * byte));
  }
}

}  // namespace

CodeWidth code_width(std::size_t n_centroids) {
  if (n_centroids <= kernels::kNarrowCentroids) return CodeWidth::kNarrow;
  return n_centroids <= kernels::kWideCentroids ? CodeWidth::kWide : CodeWidth::kLarge;
}

CodeTiles::CodeTiles(const PqWeight& weight, bool interleaved_narrow)
    : width_(code_width(weight.n_centroids)),
      interleaved_(interleaved_narrow && width_ == CodeWidth::kNarrow),
      n_rows_(weight.rows()),
      n_tiles_((weight.rows() + kTileRows - 1) / kTileRows),
      n_quads_((weight.positions() + positions_per_quad() - 1) / positions_per_quad()) {
  const std::size_t n_bytes = n_quads_ * n_tiles_ * kTileBytes * element_bytes();
  elements_ = allocate_aligned(n_bytes);
  std::fill_n(elements_.get(), n_bytes, std::byte{0});
  for (std::size_t p = 0; p < weight.positions(); ++p) {
    const std::span<const std::uint16_t> codes = weight.codes_of(p);
    for (std::size_t r = 0; r < codes.size(); ++r) place(r, p, codes[r]);
  }
}

void CodeTiles::place(std::size_t row, std::size_t position, std::uint16_t code) {
  const std::size_t quad = position / positions_per_quad();
  const std::size_t within = position % positions_per_quad();
  const std::size_t byte = within % kQuadBytes;
  const std::size_t r = row % kTileRows;
  const std::size_t element = interleaved_ ? r * kQuadBytes + byte : byte * kTileRows + r;
  std::byte* at = elements_.get() + offset_of(row / kTileRows, quad) + element * element_bytes();
  if (width_ == CodeWidth::kLarge) {
    std::memcpy(at, &code, sizeof(code));
  } else {
    *at |= static_cast<std::byte>(code << (within < kQuadBytes ? 0 : 4));
  }
}

std::size_t CodeTiles::quad_stride(std::size_t tile) const {
  const std::size_t run = tile - tile % kSweepTiles;
  return std::min(kSweepTiles, n_tiles_ - run) * kTileBytes * element_bytes();
}

std::size_t CodeTiles::offset_of(std::size_t tile, std::size_t quad) const {
  const std::size_t tile_bytes = kTileBytes * element_bytes();
  const std::size_t run = tile - tile % kSweepTiles;
  return run * n_quads_ * tile_bytes + quad * quad_stride(tile) + (tile - run) * tile_bytes;
}

const std::uint8_t* CodeTiles::bytes_of(std::size_t tile, std::size_t quad) const {
  assert(width_ != CodeWidth::kLarge);
  return reinterpret_cast<const std::uint8_t*>(elements_.get()) + offset_of(tile, quad);
}

void CodeTiles::unpack_units(std::size_t tile, std::size_t first, std::size_t n,
                             std::uint16_t* out) const {
  for (std::size_t u = first; u < first + n; ++u, out += kTileRows) {
    const std::byte* quad = elements_.get() + offset_of(tile, u / kQuadBytes);
    const std::size_t byte = u % kQuadBytes;
    if (width_ == CodeWidth::kLarge) {
      std::memcpy(out, quad + byte * kTileRows * 2, kTileRows * 2);
      continue;
    }
    const auto* codes = reinterpret_cast<const std::uint8_t*>(quad);
    if (interleaved_) {
      for (std::size_t r = 0; r < kTileRows; ++r) out[r] = codes[r * kQuadBytes + byte];
    } else {
      for (std::size_t r = 0; r < kTileRows; ++r) out[r] = codes[byte * kTileRows + r];
    }
  }
}

void CodeTiles::unpack_positions(std::size_t tile, std::size_t first, std::size_t n,
                                 std::uint16_t* out) const {
  if (width_ != CodeWidth::kNarrow) return unpack_units(tile, first, n, out);
  constexpr std::size_t kHalf = kQuadBytes * kTileRows;
  for (std::size_t p = first; p < first + n; p += 2 * kQuadBytes, out += 2 * kHalf) {
    unpack_units(tile, p / 2, kQuadBytes, out);
    for (std::size_t i = 0; i < kHalf; ++i) {
      out[kHalf + i] = static_cast<std::uint16_t>(out[i] >> 4);
      out[i] &= 15;
    }
  }
}

void CodeTiles::unpack_bytes(std::size_t tile, std::size_t first, std::size_t n,
                             std::uint8_t* out) const {
  const std::size_t step = positions_per_quad();
  for (std::size_t p = first; p < first + n; p += step, out += step * kTileRows) {
    const std::uint8_t* quad = bytes_of(tile, p / step);
    if (width_ == CodeWidth::kWide) {
      std::memcpy(out, quad, kTileBytes);
      continue;
    }
    for (std::size_t byte = 0; byte < kQuadBytes; ++byte) {
      std::uint8_t* low = out + byte * kTileRows;
      std::uint8_t* high = low + kTileBytes;
      if (interleaved_) {
        copy_byte(quad, byte, low);
      } else {
        std::copy_n(quad + byte * kTileRows, kTileRows, low);
      }
      for (std::size_t r = 0; r < kTileRows; ++r) {
        high[r] = static_cast<std::uint8_t>(low[r] >> 4);
        low[r] &= 15;
      }
    }
  }
}

TileRuns::TileRuns(std::size_t first_tile, std::size_t end_tile, std::size_t n_workers)
    : first_tile_(first_tile), end_tile_(end_tile), length_(kSweepTiles) {
  while (length_ > 1 && end_tile - first_tile < length_ * n_workers) length_ /= 2;
  first_run_ = first_tile / length_;
  count_ = (end_tile + length_ - 1) / length_ - first_run_;
}

}  // namespace pqw
