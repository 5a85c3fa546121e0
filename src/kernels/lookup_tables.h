// Building integer tables, for the files that each compile it for their own instructions.
#pragma once

#include <cstring>

#include "kernels/lookup.h"

namespace pqw::kernels {
namespace {

// Vector V of int32: kLanes; zero-cost wrappers of the operations below. Writes the entries of one
// position, n_centroids int16 values in the order of the centroids.
template <class V>
void build_words(const std::int16_t* x, const std::int16_t* centroids, std::size_t n_pairs,
                 std::size_t n_centroids, std::uint16_t* words) {
  constexpr std::size_t kRun = 2 * V::kLanes;
  for (std::size_t k = 0; k < n_centroids; k += kRun) {
    V even = V::set(1 << 15), odd = even;
    for (std::size_t pair = 0; pair < n_pairs; ++pair) {
      std::int32_t both;
      std::memcpy(&both, x + 2 * pair, sizeof(both));
      const V factor = V::set(both);
      even = V::add_dot(even, factor, V::load(centroids));
      odd = V::add_dot(odd, factor, V::load(centroids + kRun));
      centroids += 2 * kRun;
    }
    V::high_halves(even, odd).store(words + k);
  }
}

template <class V>
void build_group(const TableInput& input, std::size_t n_centroids, std::uint16_t* words) {
  for (std::size_t p = 0; p < input.n_positions; ++p) {
    build_words<V>(input.x + p * 2 * input.n_pairs, input.centroids[p], input.n_pairs, n_centroids,
                   words + p * n_centroids);
  }
}

// Scales int16 entries to -127..127 by the factor that it returns, 2^15 / 2^15 at most.
inline std::int32_t scale_to_bytes(std::uint16_t* words, std::size_t n) {
  std::int16_t most = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto value = static_cast<std::int16_t>(words[i]);
    // No entry is -2^15: the sums are 2^15 away from it.
    const auto size = static_cast<std::int16_t>(value < 0 ? -value : value);
    most = size > most ? size : most;
  }
  std::int32_t factor = most > 0 ? (127 << 15) / most : 32767;
  if (factor > 32767) factor = 32767;
  for (std::size_t i = 0; i < n; ++i) {
    const std::int32_t product = static_cast<std::int16_t>(words[i]) * factor;
    words[i] = static_cast<std::uint16_t>(((product >> 14) + 1) >> 1);
  }
  return factor;
}

// To unsigned: entry + offset.
inline void add_offset(std::uint16_t* words, std::size_t n, std::uint16_t offset) {
  for (std::size_t i = 0; i < n; ++i) words[i] = static_cast<std::uint16_t>(words[i] + offset);
}

inline void to_bytes(const std::uint16_t* words, std::size_t n, std::uint8_t* bytes) {
  for (std::size_t i = 0; i < n; ++i) bytes[i] = static_cast<std::uint8_t>(words[i] + 128);
}

// Every 64 entries become 64 low bytes and 64 high bytes.
inline void to_planes(const std::uint16_t* words, std::size_t n, std::uint8_t* planes) {
  for (std::size_t i = 0; i < n; i += 64) {
    for (std::size_t k = 0; k < 64; ++k) {
      const auto word = static_cast<std::uint16_t>(words[i + k] + 0x8000);
      planes[2 * i + k] = static_cast<std::uint8_t>(word);
      planes[2 * i + 64 + k] = static_cast<std::uint8_t>(word >> 8);
    }
  }
}

// The four builders. Unsigned entries: those of 16 bits are 2^15 more, those of 8 bits 128 more.
template <class V, std::size_t kCentroids>
std::int32_t build_planes(const TableInput& input, std::uint16_t* words, std::uint8_t* tables) {
  build_group<V>(input, kCentroids, words);
  to_planes(words, input.n_positions * kCentroids, tables);
  return 1 << 15;
}

template <class V, std::size_t kCentroids>
std::int32_t build_bytes(const TableInput& input, std::uint16_t* words, std::uint8_t* tables) {
  build_group<V>(input, kCentroids, words);
  const std::int32_t factor = scale_to_bytes(words, input.n_positions * kCentroids);
  to_bytes(words, input.n_positions * kCentroids, tables);
  return factor;
}

// Tables of words in the order of the centroids, whose values have 16 or 8 bits.
template <class V, std::size_t kCentroids>
std::int32_t build_high_words(const TableInput& input, std::uint16_t*, std::uint8_t* tables) {
  auto* words = reinterpret_cast<std::uint16_t*>(tables);
  build_group<V>(input, kCentroids, words);
  add_offset(words, input.n_positions * kCentroids, 0x8000);
  return 1 << 15;
}

template <class V, std::size_t kCentroids>
std::int32_t build_fast_words(const TableInput& input, std::uint16_t*, std::uint8_t* tables) {
  auto* words = reinterpret_cast<std::uint16_t*>(tables);
  build_group<V>(input, kCentroids, words);
  const std::int32_t factor = scale_to_bytes(words, input.n_positions * kCentroids);
  add_offset(words, input.n_positions * kCentroids, 128);
  return factor;
}

// What the unsigned entries of a group are too large by, in sum.
template <bool kHigh, bool kWide>
constexpr std::int32_t offset_of(std::size_t n_blocks) {
  const std::size_t positions = n_blocks * kBlockBytes * (kWide ? 1 : 2);
  return static_cast<std::int32_t>(positions * (kHigh ? 0x8000 : 128));
}

}  // namespace
}  // namespace pqw::kernels
