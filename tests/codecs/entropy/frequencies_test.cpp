#include "codecs/entropy/frequencies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <random>

namespace pqw {
namespace {

using testing::ElementsAre;
using Counts = std::vector<std::uint64_t>;

TEST(Frequencies, AreInProportionToCounts) {
  EXPECT_THAT(normalised(Counts{1, 3}), ElementsAre(1024, 3072));
  EXPECT_THAT(normalised(Counts{3, 0, 1}), ElementsAre(3072, 0, 1024));
  EXPECT_THAT(normalised(Counts{7}), ElementsAre(4096));
}

TEST(Frequencies, KeepRareSymbols) {
  EXPECT_THAT(normalised(Counts{1, std::uint64_t{1} << 40}), ElementsAre(1, 4095));
  EXPECT_THAT(normalised(Counts{0, 0}), ElementsAre(0, 0));
}

TEST(Frequencies, HaveSixteenBitsForManySymbols) {
  Counts counts(257, 0);
  counts[0] = 1;
  counts[256] = 3;
  const Frequencies frequencies = normalised(counts);
  EXPECT_EQ(frequencies[0], 16384u);
  EXPECT_EQ(frequencies[256], 49152u);
  EXPECT_EQ(normalised(Counts(65536, 9)), Frequencies(65536, 1));
}

double bits_of(const Counts& counts, double f0) {
  return static_cast<double>(counts[0]) * std::log2(4096 / f0) +
         static_cast<double>(counts[1]) * std::log2(4096 / (4096 - f0));
}

TEST(Frequencies, OfTwoSymbolsAreTheBestOnes) {
  for (const Counts& counts :
       {Counts{1, 1000}, Counts{5, 12000}, Counts{2, 99999}, Counts{7, 11}}) {
    double fewest = bits_of(counts, 1);
    for (int f0 = 2; f0 < 4096; ++f0) fewest = std::min(fewest, bits_of(counts, f0));
    EXPECT_NEAR(bits_of(counts, normalised(counts)[0]), fewest, 1e-4 * fewest);
  }
}

TEST(Frequencies, GiveLengths) {
  const std::vector<float> lengths = code_lengths(Frequencies{1024, 3072, 0});
  EXPECT_EQ(lengths[0], 2);
  EXPECT_NEAR(lengths[1], 0.41503750, 1.0 / 65536);  // log2(4/3)
  EXPECT_EQ(lengths[2], std::numeric_limits<float>::infinity());
  EXPECT_NEAR(coded_bits(Counts{10, 20, 0}, Frequencies{1024, 3072, 0}), 28.30075, 20.0 / 65536);
  EXPECT_EQ(code_lengths(Frequencies{4096})[0], 0);
}

// The levels of 1024 and 3072 at precision 0 are 2 + 10 and 2 + 11, with the weights 1024 and 2048;
// 2 symbols begin at level 2 + 12 - 1. So the bits are 0000, then 001 (one lower), 01 (one higher).
// Of 4096, each symbol gets 1, and the first floor(1024 * 4094 / 3072) = 1364 more.
TEST(Frequencies, AreWrittenAsSpecified) {
  BitWriter out;
  EXPECT_THAT(write_frequencies(out, Counts{1, 3}), ElementsAre(1365, 2731));
  EXPECT_EQ(out.n_bits(), 9u);
  EXPECT_THAT(std::move(out).take(), ElementsAre(std::byte{0x40}, std::byte{0x01}));
}

// 4 symbols begin at level 2 + 12 - 2 = 12. Precision 2, then the levels 11 (001), 0 (22 zeros, 1),
// 1 (01), 13 (23 zeros, 1) with the mantissas 3 (of 2^9: weight 896) and 1 (of 2^11: weight 2560).
// The symbol of level 1 has the weight 0. 4096 - 3 is shared by 3456.
TEST(Frequencies, AreReadAsSpecified) {
  BitWriter out;
  out.put(2, 4);
  out.put_unary(2);
  out.put(3, 2);
  out.put_unary(22);
  out.put_unary(1);
  out.put_unary(23);
  out.put(1, 2);
  const std::vector<std::byte> bytes = std::move(out).take();
  BitReader in(bytes);
  EXPECT_THAT(read_frequencies(in, 4), ElementsAre(1 + 1061, 0, 1, 1 + 3032));
  EXPECT_TRUE(in.rest().empty() && !in.failed());
}

TEST(Frequencies, WithoutWeightsAreEqual) {
  BitWriter out;
  out.put(0, 4);
  for (const unsigned difference : {22, 0, 0}) out.put_unary(difference);  // level 12 - 11 = 1
  const std::vector<std::byte> bytes = std::move(out).take();
  BitReader in(bytes);
  EXPECT_THAT(read_frequencies(in, 3), ElementsAre(1365, 1365, 1366));
}

Counts random_counts(std::size_t n, double spread, std::mt19937& random) {
  std::normal_distribution<double> normal;
  Counts counts(n);
  for (std::uint64_t& count : counts) {
    count = static_cast<std::uint64_t>(50 * std::exp(spread * normal(random)));
  }
  counts[random() % n] += 1;
  return counts;
}

TEST(Frequencies, ComeBackAndCostLittleMoreThanTheEntropy) {
  std::mt19937 random(1);
  for (const std::size_t n : {1, 2, 31, 255, 256, 257, 1000, 65536}) {
    for (const double spread : {0.0, 0.7, 4.0}) {
      const Counts counts = random_counts(n, spread, random);
      BitWriter out;
      const Frequencies written = write_frequencies(out, counts);
      const std::vector<std::byte> bytes = std::move(out).take();
      BitReader in(bytes);
      EXPECT_EQ(read_frequencies(in, n), written);
      EXPECT_TRUE(in.rest().empty() && !in.failed());
      EXPECT_EQ(std::reduce(written.begin(), written.end()), 1u << frequency_bits(n));
      double total = 0;
      double entropy = 0;
      for (const std::uint64_t count : counts) total += static_cast<double>(count);
      for (const std::uint64_t count : counts) {
        const auto c = static_cast<double>(count);
        if (count > 0) entropy += c * std::log2(total / c);
      }
      EXPECT_GE(coded_bits(counts, written), entropy * (1 - 1e-9));
      // Rare symbols take at most this share from the others; rounding saves bits of the table.
      const double rare = static_cast<double>(n) / (1u << frequency_bits(n));
      if (rare > 0.125) continue;
      EXPECT_LE(coded_bits(counts, written),
                entropy + 1.5 * rare * total + 4 * static_cast<double>(n) + 8);
    }
  }
}

TEST(Frequencies, ThatEndEarlyOrLeaveTheLevelsFail) {
  for (const std::vector<unsigned>& unaries :
       {std::vector<unsigned>{38},
        {26},
        {11},
        {0}}) {  // too long, below 0, above 18, no second one
    BitWriter out;
    out.put(0, 4);
    for (const unsigned unary : unaries) out.put_unary(unary);
    const std::vector<std::byte> bytes = std::move(out).take();
    BitReader in(bytes);
    EXPECT_THAT(read_frequencies(in, 40), ElementsAre()) << unaries[0];
    EXPECT_TRUE(in.failed());
  }
}

}  // namespace
}  // namespace pqw
