// Pq weights whose codes, codebooks and scales are stored entropy-coded.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "codecs/pq/value/code_classes.h"
#include "pqw/codecs/encode.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "tests/codecs/bad_record.h"
#include "tests/support/random_matrix.h"
#include "tests/support/random_pq_weight.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;
using test::section;
using testing::ElementsAre;

std::vector<std::byte> bytes(std::initializer_list<int> values) {
  std::vector<std::byte> result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

// The example of docs/archive_format.md.
Record example() {
  return {
      {"fc", DType::kF32, {2, 1}},
      "pq",
      {"entropy_coded"},
      "",
      {{"codebooks", DType::kF16, {1, 2, 1}, bytes({0, 0, 0, 0x3c})},
       {"entropy_coded", DType::kU8, {34}, bytes({0x00, 0x0a, 0xf8, 0x7f, 1, 0, 0x10, 0, 3, 0, 0, 0,
                                                  1,    0,    0,    0,    1, 0, 0,    0, 1, 0, 0, 0,
                                                  1,    0,    0,    0,    1, 0, 0,    0, 1, 0})}}};
}

TEST(EntropyCodedPq, ExampleOfTheFormat) {
  const PqWeight weight = PqCodec::from_record(example());
  EXPECT_THAT(weight.codes, ElementsAre(1, 0));
  EXPECT_THAT(weight.codebooks, ElementsAre(0, 1));
  EXPECT_TRUE(weight.entropy_coding);
}

// Codes of which each is about as often as all larger ones; F16 codebooks. In every other row, codes
// are counted from the other end: so rows have two classes.
PqWeight skewed(Shape shape, std::size_t d, std::size_t k, std::size_t groups = 1,
                std::size_t n_additive = 1) {
  PqWeight weight = test::random_pq_weight(std::move(shape), d, k, groups);
  weight.codebook_dtype = DType::kF16;
  if (n_additive > 1) {
    weight.n_additive = n_additive;
    weight.codebooks = test::normal_values(n_additive * groups * k * d, 7);
    weight.codes.resize(n_additive * weight.codes.size());
  }
  std::vector<std::byte> halves(2 * weight.codebooks.size());
  from_float(weight.codebooks, DType::kF16, halves);
  to_float(halves, DType::kF16, weight.codebooks);
  std::mt19937 random(6);
  std::geometric_distribution<std::size_t> draw(0.5);
  for (std::size_t i = 0; i < weight.codes.size(); ++i) {
    const std::size_t code = std::min(draw(random), k - 1);
    weight.codes[i] = static_cast<std::uint16_t>(i % weight.rows() % 2 == 0 ? code : k - 1 - code);
  }
  return weight;
}

void expect_equal(const PqWeight& a, const PqWeight& b) {
  EXPECT_EQ(a.codes, b.codes);
  EXPECT_EQ(a.codebooks, b.codebooks);
  EXPECT_EQ(a.codebook_dtype, b.codebook_dtype);
  EXPECT_EQ(a.row_scales, b.row_scales);
  EXPECT_EQ(a.row_scale_type, b.row_scale_type);
  EXPECT_EQ(a.n_groups, b.n_groups);
  EXPECT_EQ(a.n_additive, b.n_additive);
}

std::uint64_t packed_bytes(PqWeight weight) {
  weight.entropy_coding = false;
  return data_bytes(to_record(weight, "w"));
}

TEST(EntropyCodedPq, IsSmallerAndComesBack) {
  for (const PqWeight& weight :
       {skewed({60, 90}, 2, 16), skewed({61, 95}, 3, 256, 5), skewed({7, 4000}, 4, 300, 2),
        skewed({500, 20}, 1, 4, 20), skewed({64, 128}, 4, 64, 2, 3)}) {
    const Record record = to_record(weight, "w");
    ASSERT_THAT(record.features, testing::Contains("entropy_coded"));
    EXPECT_EQ(record.find("codes"), nullptr);
    EXPECT_LT(data_bytes(record), packed_bytes(weight));
    const PqWeight read = PqCodec::from_record(record);
    EXPECT_TRUE(read.entropy_coding);
    expect_equal(read, weight);
  }
}

// 2 bits a code on average: 1, 1/2, ... so 1000 codes of 8 bits take about 250 bytes.
TEST(EntropyCodedPq, TakesTheEntropyOfItsCodes) {
  const PqWeight weight = skewed({2, 20000}, 4, 256);
  const double bits =
      8.0 * static_cast<double>(to_record(weight, "w").find("entropy_coded")->bytes.size());
  constexpr double kTables = 1500;  // of codes and codebooks, states and classes, in bits
  const double n_high_bits = 8.0 * 256 * 4;
  EXPECT_GT(bits, 2 * 10000);
  EXPECT_LT(bits, 2.1 * 10000 + kTables + n_high_bits);
}

TEST(EntropyCodedPq, CodesHighBytesOfCodebooksAndScales) {
  PqWeight weight = skewed({600, 90}, 2, 256);
  weight.row_scale_type = RowScales::kLog8;
  for (std::size_t r = 0; r < 600; ++r) weight.row_scales.push_back(r % 3 == 0 ? 0.5f : 1.0f);
  const Record record = to_record(weight, "w");
  EXPECT_EQ(record.find("codebooks")->dtype, DType::kU8);
  EXPECT_THAT(record.find("codebooks")->shape, ElementsAre(1, 256, 2));
  EXPECT_EQ(record.find("row_scales"), nullptr);
  EXPECT_THAT(record.features, testing::Contains("row_scales"));
  expect_equal(PqCodec::from_record(record), weight);
}

TEST(EntropyCodedPq, LeavesScalesOfHalfsAndCodebooksOfFloats) {
  PqWeight weight = test::with_row_scales(skewed({60, 90}, 2, 16));
  weight.codebook_dtype = DType::kF32;
  const Record record = to_record(weight, "w");
  ASSERT_THAT(record.features, testing::Contains("entropy_coded"));
  EXPECT_EQ(record.find("codebooks")->dtype, DType::kF32);
  EXPECT_EQ(record.find("row_scales")->dtype, DType::kF16);
  expect_equal(PqCodec::from_record(record), weight);
}

TEST(EntropyCodedPq, FindsClassesOfRows) {
  const CodeClasses classes = best_code_classes(skewed({60, 90}, 2, 16));
  ASSERT_FALSE(classes.by_position);
  ASSERT_EQ(classes.of.size(), 60u);
  for (std::size_t r = 2; r < 60; ++r) EXPECT_EQ(classes.of[r], classes.of[r - 2]) << r;
  EXPECT_NE(classes.of[0], classes.of[1]);
}

TEST(EntropyCodedPq, FindsClassesOfPositions) {
  PqWeight weight = skewed({60, 90}, 2, 16);
  std::mt19937 random(6);
  for (std::size_t p = 0; p < 45; ++p) {
    for (std::size_t r = 0; r < 60; ++r) {
      weight.codes[p * 60 + r] = static_cast<std::uint16_t>(p % 4 * 4 + random() % 2);
    }
  }
  const CodeClasses classes = best_code_classes(weight);
  ASSERT_TRUE(classes.by_position);
  for (std::size_t p = 4; p < 45; ++p) EXPECT_EQ(classes.of[p], classes.of[p - 4]) << p;
  expect_equal(PqCodec::from_record(to_record(weight, "w")), weight);
}

TEST(EntropyCodedPq, StaysPackedWhereThatIsNotLarger) {
  const PqWeight uniform = test::random_pq_weight({60, 90}, 2, 16);
  EXPECT_THAT(to_record(uniform, "w").features, ElementsAre());
  PqWeight off = skewed({60, 90}, 2, 16);
  off.entropy_coding = false;
  EXPECT_THAT(to_record(off, "w").features, ElementsAre());
  EXPECT_FALSE(PqCodec::from_record(to_record(off, "w")).entropy_coding);
}

TEST(EntropyCodedPq, IsAnOptionThatIsOn) {
  std::vector<float> w = test::normal_values(256 * 64, 5);
  for (float& value : w) value = value * value * value;  // heavy tails
  for (const bool on : {true, false}) {
    PqOptions options{.block_size = 2, .n_centroids = 64};
    options.entropy_coding = on;
    const FloatTensor tensor{{"w", DType::kF32, {256, 64}}, w};
    const Encoding encoding(tensor, options);
    EXPECT_EQ(encoding.size()->at_most, on);
    const Record record = to_record(encoding.encode(), "w");
    EXPECT_EQ(record.features.empty(), !on);
    EXPECT_LE(data_bytes(record), data_bytes(encoding.size()->record));
    EXPECT_EQ(data_bytes(record) == data_bytes(encoding.size()->record), !on);
  }
}

TEST(EntropyCodedPq, EveryFlippedBitIsAnErrorOrOtherValues) {
  const PqWeight weight = skewed({24, 120}, 2, 8);
  Record record = to_record(weight, "w");
  ASSERT_THAT(record.features, testing::Contains("entropy_coded"));
  std::vector<std::byte>& coded = section(record, "entropy_coded").bytes;
  for (std::size_t bit = 0; bit < 8 * coded.size(); ++bit) {
    const auto mask = static_cast<std::byte>(1u << (bit % 8));
    coded[bit / 8] ^= mask;
    try {
      const PqWeight read = PqCodec::from_record(record);
      for (const std::uint16_t code : read.codes) ASSERT_LT(code, 8);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), kCorrupt);
    }
    coded[bit / 8] ^= mask;
  }
  expect_equal(PqCodec::from_record(record), weight);
}

class BadEntropyCodedPq : public testing::TestWithParam<BadRecord> {};

TEST_P(BadEntropyCodedPq, IsRefused) { test::expect_refused(example(), GetParam()); }

void resize(Record& record, std::size_t n) {
  section(record, "entropy_coded").bytes.resize(n);
  section(record, "entropy_coded").shape = {n};
}

INSTANTIATE_TEST_SUITE_P(
    All, BadEntropyCodedPq,
    testing::Values(
        BadRecord{"no section", kCorrupt, "entropy_coded",
                  [](Record& r) { r.sections.pop_back(); }},
        BadRecord{"no feature", kCorrupt, "codes", [](Record& r) { r.features.clear(); }},
        BadRecord{"other type", kCorrupt, "entropy_coded of type I8",
                  [](Record& r) { section(r, "entropy_coded").dtype = DType::kI8; }},
        BadRecord{"nothing", kCorrupt, "frequencies are not valid",
                  [](Record& r) { resize(r, 0); }},
        BadRecord{"no stream", kCorrupt, "does not begin with eight states",
                  [](Record& r) { resize(r, 2); }},
        BadRecord{"half a word more", kCorrupt, "whole words", [](Record& r) { resize(r, 35); }},
        BadRecord{"a word more", kCorrupt, "goes on", [](Record& r) { resize(r, 36); }},
        BadRecord{"32 classes", kCorrupt, "classes or frequencies are not valid",
                  [](Record& r) { section(r, "entropy_coded").bytes[0] = std::byte{5}; }},
        BadRecord{"bits after the frequencies", kCorrupt, "frequencies are not valid",
                  [](Record& r) { section(r, "entropy_coded").bytes[1] = std::byte{0x1a}; }},
        BadRecord{"a small state", kCorrupt, "eight states",
                  [](Record& r) { section(r, "entropy_coded").bytes[4] = std::byte{0}; }},
        BadRecord{"another last state", kCorrupt,
                  "the last states are not those at the start of encoding",
                  [](Record& r) { section(r, "entropy_coded").bytes[2] = std::byte{0xf9}; }},
        BadRecord{
            "too many codes", kCorrupt,
            "4229122 entropy-coded codes and row scales in 34 bytes, expected 4229120 at most",
            [](Record& r) {
              r.info.shape = {2, 2114561};
            }},
        BadRecord{"too many row scales", kCorrupt,
                  "4229121 entropy-coded codes and row scales in 34 bytes, expected 4229120 at",
                  [](Record& r) {
                    r.info.shape = {4229121, 0};
                    r.features.push_back("row_scales");
                  }},
        BadRecord{"low bytes alone", kCorrupt, "codebooks of type U8",
                  [](Record& r) {
                    r.features.clear();
                    r.sections[0] = {"codebooks", DType::kU8, {1, 2, 1}, bytes({0, 0})};
                  }}),
    test::name_of);

}  // namespace
}  // namespace pqw
