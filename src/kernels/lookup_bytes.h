// Sums of table entries as vectors of bytes. Each lookup_*.cpp compiles them for its own
// instructions.
//
// Each byte of a vector is the entry of another row. Two vectors of 16-bit words hold the sums:
// `all` adds pairs of bytes as words, `odd` adds the upper byte of each pair. The sum of the lower
// bytes is all - (odd << 8), modulo 2^16. Entries of 16 bits are two planes of bytes, low and high.
#pragma once

#include <concepts>

#include "kernels/lookup_tables.h"

namespace pqw::kernels {
namespace {

// The vector that an instruction set supplies: kBytes bytes, also seen as words of 16 bits and
// numbers of 32 bits (names with 16 and 32). Addresses need no alignment.
template <class V>
concept LookupBytes = requires(V a, V b, const std::uint8_t* from, std::uint8_t* to, float* sums) {
  requires kTileRows % V::kBytes == 0;
  { V::zero() } -> std::same_as<V>;
  { V::set32(std::int32_t{0}) } -> std::same_as<V>;  // the number in all lanes of 32 bits
  { V::load(from) } -> std::same_as<V>;
  { a.store(to) } -> std::same_as<void>;
  // Fetches the codes that are kFetchFar and kFetchAhead bytes on. Doing nothing is correct.
  { V::prefetch(from) } -> std::same_as<void>;
  { V::both(a, b) } -> std::same_as<V>;   // a & b
  { V::add16(a, b) } -> std::same_as<V>;  // modulo 2^16
  { V::sub16(a, b) } -> std::same_as<V>;
  { V::add32(a, b) } -> std::same_as<V>;  // modulo 2^32
  { V::sub32(a, b) } -> std::same_as<V>;
  { V::template shift_right16<4>(a) } -> std::same_as<V>;  // by 4 and 8 bits, zeros come in
  { V::template shift_left16<8>(a) } -> std::same_as<V>;
  { V::template shift_left32<8>(a) } -> std::same_as<V>;
  { V::low_words(a) } -> std::same_as<V>;      // of each 32 bits the low 16
  { V::high_words(a) } -> std::same_as<V>;     // of each 32 bits the high 16, shifted down
  { V::shuffle(from, a) } -> std::same_as<V>;  // byte i: from[a[i]], all a[i] below 16
  // sums[i] += float(a[i]) * scale for the int32 lanes i, product and sum each rounded
  { V::add_scaled(a, 1.0f, sums) } -> std::same_as<void>;
};

template <LookupBytes V, Entries kEntries>
struct ByteSums {
  static constexpr std::size_t kPlanes = kEntries == Entries::k16Bits ? 2 : 1;
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
template <LookupBytes V, Entries kEntries>
void add_group(const std::uint8_t* scratch, std::size_t n_tiles, std::int32_t offset, float scale,
               float* sums) {
  using Sums = ByteSums<V, kEntries>;
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

template <LookupBytes V>
void order_parts(const float* sums, float* rows) {
  constexpr std::size_t kLanes = V::kBytes / 4;
  for (std::size_t r = 0; r < kTileRows; ++r) {
    const std::size_t within = r % V::kBytes;
    rows[r] = sums[r - within + within % 4 * kLanes + within / 4];
  }
}

// How a quad is looked up: `add` adds the entries of V::kBytes rows of it, from tables of
// kTableBytes.
template <class Lookup, class V, Entries kEntries>
concept QuadLookup = requires(const std::uint8_t* codes, const std::uint8_t* tables,
                              ByteSums<V, kEntries>& sums) {
  { Lookup::kTableBytes } -> std::convertible_to<std::size_t>;
  { Lookup::add(codes, tables, sums) } -> std::same_as<void>;
};

// Narrow codes: in tables of 16 bytes, of each byte and nibble.
template <LookupBytes V, Entries kEntries>
struct NarrowQuad {
  static constexpr std::size_t kTableBytes = kEntries == Entries::k16Bits ? 256 : 128;

  static void add(const std::uint8_t* codes, const std::uint8_t* tables,
                  ByteSums<V, kEntries>& sums) {
    constexpr std::size_t kHalf = kTableBytes / 2;  // the tables of the high nibbles
    const V nibble = V::set32(0x0f0f0f0f);
#pragma GCC unroll 4
    for (std::size_t b = 0; b < kQuadBytes; ++b) {
      const V code = V::load(codes + b * kTileRows);
      const V low = V::both(code, nibble);
      const V high = V::both(V::template shift_right16<4>(code), nibble);
#pragma GCC unroll 2
      for (std::size_t plane = 0; plane < ByteSums<V, kEntries>::kPlanes; ++plane) {
        const std::uint8_t* table = tables + plane * 64 + b * 16;
        sums.add(plane, V::shuffle(table, low));
        sums.add(plane, V::shuffle(table + kHalf, high));
      }
    }
  }
};

template <LookupBytes V, Entries kEntries, Codes kCodes, template <class, Entries> class Quad>
requires QuadLookup<Quad<V, kEntries>, V, kEntries>
void sweep_bytes(const std::uint8_t* codes, std::size_t quad_stride, std::size_t n_quads,
                 std::size_t n_tiles, const std::uint8_t* tables, float scale,
                 std::uint8_t* scratch, float* sums) {
  using Sums = ByteSums<V, kEntries>;
  std::memset(scratch, 0, n_tiles * Sums::kParts * Sums::kBytes);
  for (std::size_t quad = 0; quad < n_quads; ++quad) {
    const std::uint8_t* table = tables + quad * Quad<V, kEntries>::kTableBytes;
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::uint8_t* at = codes + quad * quad_stride + tile * kTileBytes;
      for (std::size_t i = 0; i < kTileBytes; i += 64) V::prefetch(at + i);
      for (std::size_t part = 0; part < Sums::kParts; ++part) {
        std::uint8_t* place = scratch + (tile * Sums::kParts + part) * Sums::kBytes;
        Sums row_sums = Sums::load(place);
        Quad<V, kEntries>::add(at + part * V::kBytes, table, row_sums);
        row_sums.store(place);
      }
    }
  }
  add_group<V, kEntries>(scratch, n_tiles, offset_of<kEntries, kCodes>(n_quads), scale, sums);
}

}  // namespace
}  // namespace pqw::kernels
