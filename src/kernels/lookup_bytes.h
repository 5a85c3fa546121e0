// Sums of table entries as vectors of bytes, for the files that each compile it for their own
// instructions.
//
// The bytes of a vector are looked up for as many rows. They are summed in two vectors of 16-bit
// words: `all` takes the bytes pairwise as words, `odd` the upper byte of each; the sum of the
// lower bytes is all - (odd << 8), modulo 2^16. Entries of 16 bits are two such planes, low and
// high.
#pragma once

#include "kernels/lookup_tables.h"

namespace pqw::kernels {
namespace {

// V: a vector of kBytes bytes, with the operations used here.
template <class V, bool kHigh>
struct ByteSums {
  static constexpr std::size_t kPlanes = kHigh ? 2 : 1;
  static constexpr std::size_t kParts = kTileRows / V::kBytes;  // vectors of a tile
  static constexpr std::size_t kBytes = kPlanes * 2 * V::kBytes;

  V all[kPlanes], odd[kPlanes];

  static ByteSums load(const std::uint8_t* from) {
    ByteSums sums;
    for (std::size_t i = 0; i < kPlanes; ++i) {
      sums.all[i] = V::load(from + 2 * i * V::kBytes);
      sums.odd[i] = V::load(from + (2 * i + 1) * V::kBytes);
    }
    return sums;
  }
  void store(std::uint8_t* to) const {
    for (std::size_t i = 0; i < kPlanes; ++i) {
      all[i].store(to + 2 * i * V::kBytes);
      odd[i].store(to + (2 * i + 1) * V::kBytes);
    }
  }
  void add(std::size_t plane, V entries) {
    all[plane] = V::add16(all[plane], entries);
    odd[plane] = V::add16(odd[plane], V::template shift_right16<8>(entries));
  }

  // The sums of rows 4j+m in lane j of totals[m].
  void totals(V* totals) const {
    for (std::size_t m = 0; m < 4; ++m) totals[m] = V::zero();
    for (std::size_t i = kPlanes; i-- > 0;) {
      const V even = V::sub16(all[i], V::template shift_left16<8>(odd[i]));
      const V words[4] = {V::low_words(even), V::low_words(odd[i]), V::high_words(even),
                          V::high_words(odd[i])};
      for (std::size_t m = 0; m < 4; ++m) {
        totals[m] = V::add32(V::template shift_left32<8>(totals[m]), words[m]);
      }
    }
  }
};

// Layout of the sums of a tile: float[parts][4][lanes], as ByteSums::totals gives them.
template <class V, bool kHigh>
void add_group(const std::uint8_t* scratch, std::size_t n_tiles, std::int32_t offset, float scale,
               float* sums) {
  using Sums = ByteSums<V, kHigh>;
  const V offsets = V::set32(offset);
  for (std::size_t part = 0; part < n_tiles * Sums::kParts; ++part) {
    V totals[4];
    Sums::load(scratch + part * Sums::kBytes).totals(totals);
    for (std::size_t m = 0; m < 4; ++m) {
      V::add_scaled(V::sub32(totals[m], offsets), scale,
                    sums + part * V::kBytes + m * (V::kBytes / 4));
    }
  }
}

template <class V>
void order_parts(const float* sums, float* rows) {
  constexpr std::size_t kLanes = V::kBytes / 4;
  for (std::size_t r = 0; r < kTileRows; ++r) {
    const std::size_t within = r % V::kBytes;
    rows[r] = sums[r - within + within % 4 * kLanes + within / 4];
  }
}

// How a block is looked up. Narrow codes: in tables of 16 bytes, of each byte and nibble.
template <class V, bool kHigh>
struct NarrowBlock {
  static constexpr std::size_t kTableBytes = kHigh ? 256 : 128;

  static void add(const std::uint8_t* codes, const std::uint8_t* tables, ByteSums<V, kHigh>& sums) {
    constexpr std::size_t kHalf = kTableBytes / 2;  // the tables of the high nibbles
    const V nibble = V::set32(0x0f0f0f0f);
#pragma GCC unroll 4
    for (std::size_t b = 0; b < kBlockBytes; ++b) {
      const V code = V::load(codes + b * kTileRows);
      const V low = V::both(code, nibble);
      const V high = V::both(V::template shift_right16<4>(code), nibble);
#pragma GCC unroll 2
      for (std::size_t plane = 0; plane < ByteSums<V, kHigh>::kPlanes; ++plane) {
        const std::uint8_t* table = tables + plane * 64 + b * 16;
        sums.add(plane, V::shuffle(table, low));
        sums.add(plane, V::shuffle(table + kHalf, high));
      }
    }
  }
};

// Block<V, kHigh>::add adds the entries of V::kBytes rows.
template <class V, bool kHigh, bool kWide, template <class, bool> class Block>
void sweep_bytes(const std::uint8_t* codes, std::size_t block_stride, std::size_t n_blocks,
                 std::size_t n_tiles, const std::uint8_t* tables, float scale,
                 std::uint8_t* scratch, float* sums) {
  using Sums = ByteSums<V, kHigh>;
  std::memset(scratch, 0, n_tiles * Sums::kParts * Sums::kBytes);
  for (std::size_t block = 0; block < n_blocks; ++block) {
    const std::uint8_t* table = tables + block * Block<V, kHigh>::kTableBytes;
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::uint8_t* at = codes + block * block_stride + tile * kTileBytes;
      for (std::size_t i = 0; i < kTileBytes; i += 64) V::prefetch(at + i);
      for (std::size_t part = 0; part < Sums::kParts; ++part) {
        std::uint8_t* place = scratch + (tile * Sums::kParts + part) * Sums::kBytes;
        Sums row_sums = Sums::load(place);
        Block<V, kHigh>::add(at + part * V::kBytes, table, row_sums);
        row_sums.store(place);
      }
    }
  }
  add_group<V, kHigh>(scratch, n_tiles, offset_of<kHigh, kWide>(n_blocks), scale, sums);
}

}  // namespace
}  // namespace pqw::kernels
