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

// What an instruction set supplies: vectors (vectors.h) with an operation.
template <class V>
concept LookupBytes = kTileRows % V::kBytes == 0 &&
                      requires(const std::uint8_t* table, typename V::Bytes index) {
  // byte i: table[index[i]], all of the index below 16
  { V::shuffle(table, index) } -> std::same_as<typename V::Bytes>;
};

template <LookupBytes V, Entries kEntries>
struct ByteSums {
  static constexpr std::size_t kPlanes = kEntries == Entries::k16Bits ? 2 : 1;
  static constexpr std::size_t kParts = kTileRows / V::kBytes;  // vectors of a tile
  using Words = typename V::Words;
  using Numbers = typename V::Numbers;

  Words all[kPlanes], odd[kPlanes];

  explicit ByteSums(const std::uint8_t* from) {
    for (std::size_t i = 0; i < kPlanes; ++i) {
      all[i] = load<Words>(from + 2 * i * V::kBytes);
      odd[i] = load<Words>(from + (2 * i + 1) * V::kBytes);
    }
  }
  void store_to(std::uint8_t* to) const {
    for (std::size_t i = 0; i < kPlanes; ++i) {
      store(all[i], to + 2 * i * V::kBytes);
      store(odd[i], to + (2 * i + 1) * V::kBytes);
    }
  }
  void add(std::size_t plane, typename V::Bytes entries) {
    const auto words = as<Words>(entries);
    all[plane] += words;
    odd[plane] += words >> 8;
  }

  // The sums of rows 4j+m in lane j of totals[m].
  void totals(Numbers* totals) const {
    for (std::size_t m = 0; m < 4; ++m) totals[m] = Numbers{};
    for (std::size_t i = kPlanes; i-- > 0;) {
      const auto even_rows = as<Numbers>(all[i] - (odd[i] << 8));
      const auto odd_rows = as<Numbers>(odd[i]);
      totals[0] = (totals[0] << 8) + (even_rows & 0xffff);
      totals[1] = (totals[1] << 8) + (odd_rows & 0xffff);
      totals[2] = (totals[2] << 8) + (even_rows >> 16);
      totals[3] = (totals[3] << 8) + (odd_rows >> 16);
    }
  }
};

// Layout of the sums of a tile: float[parts][4][lanes], as ByteSums::totals gives them.
template <LookupBytes V, Entries kEntries>
void add_group(const std::uint8_t* scratch, std::size_t n_tiles, std::uint32_t offset, float scale,
               float* sums) {
  using Sums = ByteSums<V, kEntries>;
  for (std::size_t part = 0; part < n_tiles * Sums::kParts; ++part) {
    typename V::Numbers totals[4];
    Sums(scratch + part * sizeof(Sums)).totals(totals);
    for (std::size_t m = 0; m < 4; ++m) {
      add_scaled<V>(totals[m] - offset, scale, sums + part * V::kBytes + m * (V::kBytes / 4));
    }
  }
}

template <LookupBytes V>
void order_parts(const float* sums, float* rows) {
  constexpr std::size_t kLanes = V::kBytes / 4;
  for (std::size_t part = 0; part < kTileRows; part += V::kBytes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
#pragma GCC unroll 4
      for (std::size_t m = 0; m < 4; ++m) {
        rows[part + 4 * lane + m] = sums[part + m * kLanes + lane];
      }
    }
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
    using Bytes = typename V::Bytes;
    constexpr std::size_t kHalf = kTableBytes / 2;  // the tables of the high nibbles
#pragma GCC unroll 4
    for (std::size_t b = 0; b < kQuadBytes; ++b) {
      const auto code = load<Bytes>(codes + b * kTileRows);
      const Bytes low = code & 15;
      const Bytes high = as<Bytes>(as<typename V::Words>(code) >> 4) & 15;
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
  std::memset(scratch, 0, n_tiles * Sums::kParts * sizeof(Sums));
  for (std::size_t quad = 0; quad < n_quads; ++quad) {
    const std::uint8_t* table = tables + quad * Quad<V, kEntries>::kTableBytes;
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      const std::uint8_t* at = codes + quad * quad_stride + tile * kTileBytes;
      for (std::size_t i = 0; i < kTileBytes; i += 64) prefetch(at + i);
      for (std::size_t part = 0; part < Sums::kParts; ++part) {
        std::uint8_t* place = scratch + (tile * Sums::kParts + part) * sizeof(Sums);
        Sums row_sums(place);
        Quad<V, kEntries>::add(at + part * V::kBytes, table, row_sums);
        row_sums.store_to(place);
      }
    }
  }
  add_group<V, kEntries>(scratch, n_tiles, offset_of<kEntries, kCodes>(n_quads), scale, sums);
}

}  // namespace
}  // namespace pqw::kernels
