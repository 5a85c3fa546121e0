#include "codecs/entropy/rans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace pqw {
namespace {

using testing::HasSubstr;
using Symbols = std::vector<std::uint16_t>;

std::vector<std::byte> stream_of(const std::vector<std::uint32_t>& states,
                                 const std::vector<std::uint16_t>& words) {
  std::vector<std::byte> bytes;
  const auto append = [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  append(std::as_bytes(std::span(states)));
  append(std::as_bytes(std::span(words)));
  return bytes;
}

std::vector<std::byte> encoded(const RansTable& table, const Symbols& symbols) {
  RansEncoder encoder(symbols.size());
  while (encoder.symbols_left() > 0) encoder.put(table, symbols[encoder.symbols_left() - 1]);
  return std::move(encoder).finish();
}

const RansTable& quarter() {
  static const RansTable table(Frequencies{1024, 3072});
  return table;
}

TEST(Rans, OneSymbol) {
  // 65536 / 1024 = 64, 64 * 4096 + 0
  EXPECT_EQ(
      encoded(quarter(), {0}),
      stream_of({0x40000, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000}, {}));
  // 65536 = 21 * 3072 + 1024, 21 * 4096 + 1024 + 1024 = 88064
  EXPECT_EQ(encoded(quarter(), {1}),
            stream_of({88064, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000, 0x10000}, {}));
}

// A symbol of 2 bits multiplies its state by 4. The eighth one in state 0 finds 2^30, gives away
// the word 0 and goes on with 2^14.
TEST(Rans, ThatGivesAwayAWord) {
  const std::uint32_t full = 1u << 30;
  const auto stream = stream_of({0x10000, full, full, full, full, full, full, full}, {0});
  EXPECT_EQ(encoded(quarter(), Symbols(57, 0)), stream);
  Symbols symbols(57, 9);
  RansDecoder decoder(stream);
  decoder.get_all(quarter(), symbols);
  EXPECT_EQ(decoder.fault(), nullptr);
  EXPECT_EQ(symbols, Symbols(57, 0));
}

TEST(Rans, NoSymbols) {
  const std::vector<std::byte> stream = encoded(quarter(), {});
  EXPECT_EQ(stream.size(), 32u);
  EXPECT_EQ(RansDecoder(stream).fault(), nullptr);
}

Symbols random_symbols(std::size_t count, const std::vector<std::uint64_t>& counts,
                       std::mt19937& random) {
  std::discrete_distribution<int> draw(counts.begin(), counts.end());
  Symbols symbols(count);
  for (std::uint16_t& symbol : symbols) symbol = static_cast<std::uint16_t>(draw(random));
  return symbols;
}

std::vector<std::uint64_t> skewed_counts(std::size_t n) {
  std::vector<std::uint64_t> counts(n);
  for (std::size_t i = 0; i < n; ++i) counts[i] = 1 + 1000 / (i + 1);
  return counts;
}

TEST(Rans, ComesBack) {
  std::mt19937 random(1);
  for (const std::size_t n_symbols : {1, 2, 31, 256, 257, 4096, 65536}) {
    const std::vector<std::uint64_t> counts = skewed_counts(n_symbols);
    const RansTable table(normalised(counts));
    for (const std::size_t count : {0, 1, 7, 8, 9, 40, 1003}) {
      const Symbols symbols = random_symbols(count, counts, random);
      const std::vector<std::byte> stream = encoded(table, symbols);
      RansDecoder at_once(stream);
      Symbols decoded(count);
      at_once.get_all(table, decoded);
      EXPECT_EQ(decoded, symbols);
      EXPECT_EQ(at_once.fault(), nullptr);
      RansDecoder one_by_one(stream);
      for (const std::uint16_t symbol : symbols) EXPECT_EQ(one_by_one.get(table), symbol);
      EXPECT_EQ(one_by_one.fault(), nullptr);
    }
  }
}

// Each symbol chooses the table of the symbol eight later, as if eight rows were coded side by
// side.
TEST(Rans, TablesMayDependOnSymbolsBefore) {
  std::mt19937 random(2);
  const std::vector<RansTable> tables = {RansTable(Frequencies{4000, 50, 46}),
                                         RansTable(Frequencies{1024, 1024, 2048}),
                                         RansTable(Frequencies{1, 1, 4094})};
  const Symbols symbols = random_symbols(501, {5, 3, 1}, random);
  const auto table_of = [&](const Symbols& known, std::size_t i) -> const RansTable& {
    return tables[i < 8 ? 0 : known[i - 8]];
  };
  RansEncoder encoder(symbols.size());
  while (encoder.symbols_left() > 0) {
    const std::size_t i = encoder.symbols_left() - 1;
    encoder.put(table_of(symbols, i), symbols[i]);
  }
  const std::vector<std::byte> stream = std::move(encoder).finish();
  Symbols decoded(symbols.size());
  RansDecoder decoder(stream);
  decoder.get_by([&](std::size_t i) -> const RansTable& { return table_of(decoded, i); }, decoded);
  EXPECT_EQ(decoded, symbols);
  EXPECT_EQ(decoder.fault(), nullptr);
}

TEST(Rans, PiecesOfAnyLengthComeBack) {
  std::mt19937 random(3);
  const std::vector<std::uint64_t> counts = skewed_counts(50);
  const RansTable table(normalised(counts));
  const Symbols symbols = random_symbols(300, counts, random);
  const std::vector<std::byte> stream = encoded(table, symbols);
  RansDecoder decoder(stream);
  Symbols decoded(300);
  for (std::size_t at = 0, length = 0; at < 300; at += length) {
    length = std::min<std::size_t>(length + 1, 300 - at);
    decoder.get_all(table, std::span(decoded).subspan(at, length));
  }
  EXPECT_EQ(decoded, symbols);
  EXPECT_EQ(decoder.fault(), nullptr);
}

std::string fault_of(std::span<const std::byte> stream, std::size_t count) {
  Symbols symbols(count);
  RansDecoder decoder(stream);
  decoder.get_all(quarter(), symbols);
  return decoder.fault() == nullptr ? "" : decoder.fault();
}

TEST(Rans, FindsStreamsOfOtherLengths) {
  const Symbols symbols(57, 0);
  std::vector<std::byte> stream = encoded(quarter(), symbols);
  EXPECT_EQ(fault_of(stream, 57), "");
  EXPECT_THAT(fault_of(stream, 56), HasSubstr("not those at the start"));
  EXPECT_THAT(fault_of(stream, 58), HasSubstr("ends before"));
  EXPECT_THAT(fault_of(std::span(stream).first(32), 57), HasSubstr("ends before"));
  EXPECT_THAT(fault_of(std::span(stream).first(33), 57), HasSubstr("eight states and whole words"));
  EXPECT_THAT(fault_of(std::span(stream).first(31), 57), HasSubstr("eight states and whole words"));
  EXPECT_THAT(fault_of({}, 57), HasSubstr("eight states"));
  stream.resize(36);
  EXPECT_THAT(fault_of(stream, 57), HasSubstr("goes on"));
  EXPECT_THAT(fault_of(std::vector<std::byte>(32), 1), HasSubstr("eight states"));
}

// Decoding is the inverse of encoding, so no other stream gives the same symbols.
TEST(Rans, EveryFlippedBitIsAFaultOrGivesOtherSymbols) {
  std::mt19937 random(4);
  const std::vector<std::uint64_t> counts = skewed_counts(40);
  const RansTable table(normalised(counts));
  const Symbols symbols = random_symbols(400, counts, random);
  std::vector<std::byte> stream = encoded(table, symbols);
  for (std::size_t bit = 0; bit < 8 * stream.size(); ++bit) {
    const auto mask = static_cast<std::byte>(1u << (bit % 8));
    stream[bit / 8] ^= mask;
    Symbols decoded(symbols.size());
    RansDecoder decoder(stream);
    decoder.get_all(table, decoded);
    EXPECT_TRUE(decoder.fault() != nullptr || decoded != symbols) << bit;
    for (const std::uint16_t symbol : decoded) ASSERT_LT(symbol, 40);
    stream[bit / 8] ^= mask;
  }
}

TEST(Rans, TableWithoutFrequenciesGivesZeros) {
  const RansTable table(Frequencies(3, 0));
  Symbols symbols(20, 7);
  const std::vector<std::byte> nothing = stream_of(std::vector<std::uint32_t>(8, 0x10000), {});
  RansDecoder decoder(nothing);
  decoder.get_all(table, symbols);
  EXPECT_EQ(symbols, Symbols(20, 0));
  EXPECT_EQ(decoder.fault(), nullptr);
}

}  // namespace
}  // namespace pqw
