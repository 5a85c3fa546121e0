// Entropy coding by range asymmetric numeral systems (rANS) with static frequencies: J. Duda,
// "Asymmetric numeral systems", arXiv:1311.2540 (2013).
//
// Symbol i of a stream is coded by the state i % 8; eight states, so that a processor can work on
// several at once. A state is in 2^16 .. 2^32 - 1. The states share one sequence of 16-bit words.
// Layout: U32 [8] states, U16 words in the order in which the decoder takes them.
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "codecs/entropy/frequencies.h"

namespace pqw {

inline constexpr std::size_t kRansLanes = 8;
inline constexpr std::uint32_t kRansLow = 1u << 16;  // the least state, with which coding begins

// The frequencies of one alphabet, as encoder and decoder look them up.
class RansTable {
 public:
  // Without any frequency above 0, every symbol decodes to 0 and takes no bits.
  explicit RansTable(std::span<const std::uint32_t> frequencies);

  // The next symbol of a state, which may fall below kRansLow.
  std::uint16_t pop(std::uint32_t& state) const {
    const std::uint32_t slot = state & ((1u << bits_) - 1);
    const std::uint16_t symbol = symbols_[slot];
    const std::uint32_t range = ranges_[symbol];
    state = ((range >> 16) + 1) * (state >> bits_) + slot - (range & 0xffff);
    return symbol;
  }

 private:
  friend class RansEncoder;

  unsigned bits_;
  std::vector<std::uint16_t> symbols_;  // [2^bits]: the symbol of each slot
  // [n_symbols]: frequency - 1 in the high half, the first slot in the low half.
  std::vector<std::uint32_t> ranges_;
};

// Takes the symbols of a stream from the last one to the first.
class RansEncoder {
 public:
  explicit RansEncoder(std::size_t n_symbols) : n_left_(n_symbols) { states_.fill(kRansLow); }

  // Adds the symbol before the last one added. REQUIRES: its frequency in the table is above 0;
  // symbols_left() > 0.
  void put(const RansTable& table, std::size_t symbol);

  std::size_t symbols_left() const { return n_left_; }

  // The stream. REQUIRES: symbols_left() == 0.
  std::vector<std::byte> finish() &&;

 private:
  std::array<std::uint32_t, kRansLanes> states_;
  std::size_t n_left_;
  std::vector<std::uint16_t> words_;  // the last one first
};

// Gives the symbols of a stream from the first one to the last. It never reads beyond its bytes.
// After the last symbol, `fault` says whether they were a valid stream. The bytes must stay alive.
class RansDecoder {
 public:
  explicit RansDecoder(std::span<const std::byte> stream);

  // The next symbol, which has a frequency above 0 in that table.
  std::uint16_t get(const RansTable& table) {
    std::uint32_t& state = states_[lane_];
    lane_ = (lane_ + 1) % kRansLanes;
    const std::uint16_t symbol = table.pop(state);
    if (state < kRansLow) state = state << 16 | next_word();
    return symbol;
  }

  // As get, for each of these symbols.
  void get_all(const RansTable& table, std::span<std::uint16_t> symbols) {
    get_by([&](std::size_t) -> const RansTable& { return table; }, symbols);
  }

  // As get, with the table table_of(i) for symbol i. The calls come in this order, each after the
  // symbols before i were written, so that a table may depend on them.
  template <class TableOf>
  void get_by(TableOf table_of, std::span<std::uint16_t> symbols);

  // Why the bytes are not a stream of just the symbols read so far; null if they are.
  const char* fault() const;

 private:
  std::uint16_t next_word() {
    if (at_ == end_) {
      is_short_ = true;
      return 0;
    }
    std::uint16_t word;
    std::memcpy(&word, at_, 2);
    at_ += 2;
    return word;
  }

  const std::byte* at_ = nullptr;
  const std::byte* end_ = nullptr;  // whole words
  std::array<std::uint32_t, kRansLanes> states_;
  std::size_t lane_ = 0;
  bool is_short_ = false;
  bool is_malformed_ = false;
};

template <class TableOf>
void RansDecoder::get_by(TableOf table_of, std::span<std::uint16_t> symbols) {
  std::size_t i = 0;
  for (; i < symbols.size() && lane_ != 0; ++i) symbols[i] = get(table_of(i));
  std::array<std::uint32_t, kRansLanes> states = states_;
  const std::byte* at = at_;
  // Eight symbols take at most eight words, so this loop checks the end once for eight symbols.
  constexpr std::ptrdiff_t kMostBytes = 2 * kRansLanes;
  for (; symbols.size() - i >= kRansLanes && end_ - at >= kMostBytes; i += kRansLanes) {
#pragma GCC unroll 8
    for (std::size_t lane = 0; lane < kRansLanes; ++lane) {
      std::uint32_t state = states[lane];
      symbols[i + lane] = table_of(i + lane).pop(state);
      std::uint16_t word;
      std::memcpy(&word, at, sizeof word);
      const bool takes_word = state < kRansLow;
      states[lane] = takes_word ? state << 16 | word : state;
      at += takes_word ? sizeof word : 0;
    }
  }
  states_ = states;
  at_ = at;
  for (; i < symbols.size(); ++i) symbols[i] = get(table_of(i));
}

}  // namespace pqw
