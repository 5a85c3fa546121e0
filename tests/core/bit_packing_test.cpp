#include "core/bit_packing.h"

#include <gtest/gtest.h>

#include <random>

namespace pqw {
namespace {

TEST(BitPacking, BitsForIsCeilLog2) {
  EXPECT_EQ(bits_for(1), 0u);
  EXPECT_EQ(bits_for(2), 1u);
  EXPECT_EQ(bits_for(3), 2u);
  EXPECT_EQ(bits_for(5), 3u);
  EXPECT_EQ(bits_for(256), 8u);
  EXPECT_EQ(bits_for(257), 9u);
  EXPECT_EQ(bits_for(65536), 16u);
}

TEST(BitPacking, ThreeBitCodesLieLeastSignificantBitFirst) {
  // 1, 2, 7, 5 -> bits 001 010 111 101 from the low end: byte 0 = 11 010 001, byte 1 = 0000 101 1.
  const std::vector<std::uint16_t> codes{1, 2, 7, 5};
  const auto packed = pack_bits(codes, 3);
  ASSERT_EQ(packed.size(), 2u);
  EXPECT_EQ(packed[0], std::byte{0b11010001});
  EXPECT_EQ(packed[1], std::byte{0b00001011});
}

TEST(BitPacking, PackedSizeDoesNotOverflow) {
  const std::size_t huge = std::size_t{1} << 62;
  EXPECT_EQ(packed_size(huge, 3), huge / 8 * 3);
  EXPECT_EQ(packed_size(9, 3), 4u);
  EXPECT_EQ(packed_size(0, 16), 0u);
}

class BitPackingRoundTrip : public testing::TestWithParam<unsigned> {};

TEST_P(BitPackingRoundTrip, AnyCountComesBack) {
  const unsigned bits = GetParam();
  std::mt19937 random(bits);
  for (const std::size_t count : {0u, 1u, 2u, 7u, 8u, 9u, 63u, 1000u}) {
    std::vector<std::uint16_t> codes(count);
    for (auto& code : codes) code = static_cast<std::uint16_t>(random() & ((1u << bits) - 1u));
    const auto packed = pack_bits(codes, bits);
    EXPECT_EQ(packed.size(), (count * bits + 7) / 8);
    std::vector<std::uint16_t> unpacked(count);
    unpack_bits(packed, bits, unpacked);
    EXPECT_EQ(unpacked, codes);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryWidth, BitPackingRoundTrip, testing::Range(0u, 17u));

}  // namespace
}  // namespace pqw
