// The builders of integer tables. Each lookup_*.cpp compiles them for its own instructions.
#pragma once

#include <concepts>
#include <cstring>

#include "kernels/lookup.h"
#include "kernels/vectors.h"

namespace pqw::kernels {
namespace {

// Fetches the codes that are kFetchFar and kFetchAhead bytes on.
inline void prefetch(const std::uint8_t* codes) {
  __builtin_prefetch(codes + kFetchFar, 0, 2);
  __builtin_prefetch(codes + kFetchAhead, 0, 3);
}

// What an instruction set supplies: vectors (vectors.h) with operations lane by lane. TableLanes
// compute entries from x and centroids.
template <class V>
concept TableLanes = requires(typename V::Integers a) {
  requires kWideCentroids % (2 * V::kLanes) == 0;
  // a + q0 * c0 + q1 * c1 modulo 2^32, the integers a and pairs of shorts q and c
  { V::add_dot(a, a, a) } -> std::same_as<typename V::Integers>;
  // The high halves of the integers a and q in turn: shorts a0, q0, a1, q1 ...
  { V::high_halves(a, a) } -> std::same_as<typename V::Integers>;
};

// TableWords scale entries to 8 bits, still as shorts.
template <class V>
concept TableWords = TableLanes<V> && requires(typename V::Shorts a) {
  { V::scaled(a, a) } -> std::same_as<typename V::Shorts>;  // a * b / 2^15, halves rounded up
};

// Widening vectors take kLanes words as integers.
template <class V>
concept Widening = requires(const std::uint16_t* words) {
  { V::widened(words) } -> std::same_as<typename V::Integers>;  // as signed words
};

// TableBytes bring shorts into tables of bytes.
template <class V>
concept TableBytes = TableWords<V> && requires(typename V::Shorts a) {
  { V::low_bytes(a, a) } -> std::same_as<typename V::Bytes>;   // of each short of a, then of b
  { V::high_bytes(a, a) } -> std::same_as<typename V::Bytes>;  // likewise
};

// Writes the entries of one position, n_centroids int16 values plus `offset`, in the order of the
// centroids.
// kPairs: n_pairs if the compiler is to know it, else 0.
template <TableLanes V, std::size_t kPairs>
void build_words(const std::int16_t* x, const std::int16_t* centroids, std::size_t n_pairs,
                 std::size_t n_centroids, std::uint16_t offset, std::uint16_t* words) {
  constexpr std::size_t kRun = 2 * V::kLanes;
  using Integers = typename V::Integers;
  const Integers half =
      Integers{} + static_cast<std::int32_t>((std::uint32_t{offset} << 16) + (1 << 15));
  const auto factor = [&](std::size_t pair) {
    std::int32_t both;
    std::memcpy(&both, x + 2 * pair, sizeof(both));
    return Integers{} + both;
  };
  Integers factors[kPairs + 1];  // stay in registers
#pragma GCC unroll 8
  for (std::size_t pair = 0; pair < kPairs; ++pair) factors[pair] = factor(pair);
  for (std::size_t k = 0; k < n_centroids; k += kRun) {
    Integers even = half, odd = half;
#pragma GCC unroll 8
    for (std::size_t pair = 0; pair < (kPairs > 0 ? kPairs : n_pairs); ++pair) {
      const Integers by = kPairs > 0 ? factors[pair] : factor(pair);
      even = V::add_dot(even, by, load<Integers>(centroids));
      odd = V::add_dot(odd, by, load<Integers>(centroids + kRun));
      centroids += 2 * kRun;
    }
    store(V::high_halves(even, odd), words + k);
  }
}

template <TableLanes V, std::size_t kPairs>
void build_positions(const TableInput& input, std::size_t n_centroids, std::uint16_t offset,
                     std::uint16_t* words) {
  for (std::size_t p = 0; p < input.n_positions; ++p) {
    build_words<V, kPairs>(input.x + p * 2 * input.n_pairs, input.centroids[p], input.n_pairs,
                           n_centroids, offset, words + p * n_centroids);
  }
}

template <TableLanes V>
void build_group(const TableInput& input, std::size_t n_centroids, std::uint16_t offset,
                 std::uint16_t* words) {
  switch (input.n_pairs) {
    case 1:
      return build_positions<V, 1>(input, n_centroids, offset, words);
    case 2:
      return build_positions<V, 2>(input, n_centroids, offset, words);
    case 4:
      return build_positions<V, 4>(input, n_centroids, offset, words);
    case 8:
      return build_positions<V, 8>(input, n_centroids, offset, words);
    default:
      return build_positions<V, 0>(input, n_centroids, offset, words);
  }
}

// Returns the factor that brings int16 entries, times factor / 2^15, to -127..127. REQUIRES: n is a
// multiple of four times the words of V; no entry is -2^15 (TableInput keeps sums away from it).
template <TableWords V>
std::int32_t byte_factor(const std::uint16_t* words, std::size_t n) {
  using Shorts = typename V::Shorts;
  constexpr std::size_t kChains = 4;  // that do not wait for each other
  Shorts most[kChains] = {};
  for (std::size_t i = 0; i < n; i += kChains * 2 * V::kLanes) {
#pragma GCC unroll 4
    for (std::size_t chain = 0; chain < kChains; ++chain) {
      const Shorts values = load<Shorts>(words + i + chain * 2 * V::kLanes);
      const Shorts magnitudes = values < 0 ? -values : values;
      most[chain] = magnitudes > most[chain] ? magnitudes : most[chain];
    }
  }
  std::int32_t largest = 0;
  for (const Shorts& chain : most) {
    for (std::size_t i = 0; i < 2 * V::kLanes; ++i)
      largest = chain[i] > largest ? chain[i] : largest;
  }
  const std::int32_t factor = largest > 0 ? (127 << 15) / largest : 32767;
  return factor > 32767 ? 32767 : factor;
}

// Entries times factor / 2^15, rounded, plus `offset`, as words again; plus 128, as bytes.
template <TableWords V>
void scale_words(std::uint16_t* words, std::size_t n, std::int32_t factor, std::int16_t offset) {
  using Shorts = typename V::Shorts;
  const Shorts factors = Shorts{} + static_cast<std::int16_t>(factor);
  for (std::size_t i = 0; i < n; i += 2 * V::kLanes) {
    store(V::scaled(load<Shorts>(words + i), factors) + offset, words + i);
  }
}

template <TableBytes V>
void scale_to_bytes(const std::uint16_t* words, std::size_t n, std::int32_t factor,
                    std::uint8_t* bytes) {
  using Shorts = typename V::Shorts;
  const Shorts factors = Shorts{} + static_cast<std::int16_t>(factor);
  for (std::size_t i = 0; i < n; i += 4 * V::kLanes) {
    const Shorts low = V::scaled(load<Shorts>(words + i), factors);
    const Shorts high = V::scaled(load<Shorts>(words + i + 2 * V::kLanes), factors);
    store(V::low_bytes(low, high) ^ 128, bytes + i);
  }
}

// Every 64 words become 64 low bytes and 64 high bytes.
template <TableBytes V>
void to_planes(const std::uint16_t* words, std::size_t n, std::uint8_t* planes) {
  using Shorts = typename V::Shorts;
  for (std::size_t i = 0; i < n; i += V::kBytes) {
    const auto low = load<Shorts>(words + i), high = load<Shorts>(words + i + V::kBytes / 2);
    std::uint8_t* plane = planes + i / 64 * 128 + i % 64;
    store(V::low_bytes(low, high), plane);
    store(V::high_bytes(low, high), plane + 64);
  }
}

// Positions that are built at a time, so that their words stay in the L1 cache.
constexpr std::size_t kPositionsAtOnce = 4;

inline TableInput positions_from(const TableInput& input, std::size_t first) {
  return {.x = input.x + first * 2 * input.n_pairs,
          .centroids = input.centroids + first,
          .n_positions = kPositionsAtOnce,
          .n_pairs = input.n_pairs};
}

// The builders. Entries are unsigned: 2^15 is added to 16 bits, 128 to 8 bits. V, of 8 lanes
// at most, builds narrow tables; Wide brings them into their layout.
template <TableLanes V, TableBytes Wide, std::size_t kCentroids>
std::int32_t build_planes(const TableInput& input, std::uint16_t* words, std::uint8_t* tables) {
  for (std::size_t p = 0; p < input.n_positions; p += kPositionsAtOnce) {
    build_group<V>(positions_from(input, p), kCentroids, 0x8000, words);
    to_planes<Wide>(words, kPositionsAtOnce * kCentroids, tables + p * kCentroids * 2);
  }
  return 1 << 15;
}

template <TableLanes V, TableBytes Wide, std::size_t kCentroids>
std::int32_t build_bytes(const TableInput& input, std::uint16_t* words, std::uint8_t* tables) {
  build_group<V>(input, kCentroids, 0, words);
  const std::int32_t factor = byte_factor<Wide>(words, input.n_positions * kCentroids);
  scale_to_bytes<Wide>(words, input.n_positions * kCentroids, factor, tables);
  return factor;
}

// Tables of words in the order of the centroids, whose values have 16 or 8 bits.
template <TableLanes V, std::size_t kCentroids>
std::int32_t build_high_words(const TableInput& input, std::uint16_t*, std::uint8_t* tables) {
  build_group<V>(input, kCentroids, 0x8000, reinterpret_cast<std::uint16_t*>(tables));
  return 1 << 15;
}

template <TableWords V, std::size_t kCentroids>
std::int32_t build_fast_words(const TableInput& input, std::uint16_t*, std::uint8_t* tables) {
  auto* words = reinterpret_cast<std::uint16_t*>(tables);
  build_group<V>(input, kCentroids, 0, words);
  const std::int32_t factor = byte_factor<V>(words, input.n_positions * kCentroids);
  scale_words<V>(words, input.n_positions * kCentroids, factor, 128);
  return factor;
}

// Tables of int32 in the order of the centroids, for entries of 16 or 8 bits. They are signed.
template <Widening V>
void widen(const std::uint16_t* words, std::size_t n, std::uint8_t* integers) {
  for (std::size_t i = 0; i < n; i += V::kLanes) {
    store(V::widened(words + i), integers + i * sizeof(std::int32_t));
  }
}

template <TableLanes V, std::size_t kCentroids>
requires Widening<V> std::int32_t build_high_integers(const TableInput& input, std::uint16_t* words,
                                                      std::uint8_t* tables) {
  constexpr std::size_t kValues = kPositionsAtOnce * kCentroids;
  for (std::size_t p = 0; p < input.n_positions; p += kPositionsAtOnce) {
    build_group<V>(positions_from(input, p), kCentroids, 0, words);
    widen<V>(words, kValues, tables + p * kCentroids * sizeof(std::int32_t));
  }
  return 1 << 15;
}

template <TableWords V, std::size_t kCentroids>
requires Widening<V> std::int32_t build_fast_integers(const TableInput& input, std::uint16_t* words,
                                                      std::uint8_t* tables) {
  const std::size_t n = input.n_positions * kCentroids;
  build_group<V>(input, kCentroids, 0, words);
  const std::int32_t factor = byte_factor<V>(words, n);
  scale_words<V>(words, n, factor, 0);
  widen<V>(words, n, tables);
  return factor;
}

// The sum of what was added to the entries of a group to make them unsigned.
template <Entries kEntries, Codes kCodes>
constexpr std::uint32_t offset_of(std::size_t n_quads) {
  const std::size_t positions = n_quads * kQuadBytes * (kCodes == Codes::kWide ? 1 : 2);
  return static_cast<std::uint32_t>(positions * (kEntries == Entries::k16Bits ? 0x8000 : 128));
}

// sums[i] += totals[i] * scale, product and sum each rounded.
template <class V>
inline void add_scaled(typename V::Numbers totals, float scale, float* sums) {
  const auto integers = as<typename V::Integers>(totals);
  const auto values = __builtin_convertvector(integers, typename V::Floats);
  store(load<typename V::Floats>(sums) + values * scale, sums);
}

// The order of sums that are already by row.
inline void keep_order(const float* sums, float* rows) {
  std::memcpy(rows, sums, kTileRows * sizeof(float));
}

}  // namespace
}  // namespace pqw::kernels
