#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pqw/codecs/weight.h"
#include "pqw/core/error.h"
#include "tests/codecs/bad_record.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;
using test::kMaxSize;
using test::section;
using testing::ElementsAre;
using testing::HasSubstr;

// [2, 3] with blocks of 2: 2 positions x 2 rows, 3 centroids, 2 bits a code.
PqWeight sample() {
  PqWeight weight;
  weight.shape = {2, 3};
  weight.dtype = DType::kBF16;
  weight.block_size = 2;
  weight.n_centroids = 3;
  weight.codebooks = {0, 1, 2, 3, -4, 0.5f};
  weight.codes = {2, 0, 1, 2};
  weight.options = "block_size=2";
  return weight;
}

TEST(PqRecord, SectionsAreAsSpecified) {
  const Record record = to_record(sample(), "fc");
  EXPECT_EQ(record.info, (TensorInfo{"fc", DType::kBF16, {2, 3}}));
  EXPECT_EQ(record.codec, "pq");
  EXPECT_EQ(record.options, "block_size=2");
  const Section* codebooks = record.find("codebooks");
  ASSERT_NE(codebooks, nullptr);
  EXPECT_EQ(codebooks->dtype, DType::kF16);
  EXPECT_THAT(codebooks->shape, ElementsAre(1, 3, 2));
  const Section* codes = record.find("codes");
  ASSERT_NE(codes, nullptr);
  EXPECT_THAT(codes->bytes, ElementsAre(std::byte{0b10'01'00'10}));
}

TEST(PqRecord, ComesBack) {
  const PqWeight weight = std::get<PqWeight>(weight_from_record(to_record(sample(), "fc")));
  EXPECT_EQ(weight.shape, sample().shape);
  EXPECT_EQ(weight.dtype, DType::kBF16);
  EXPECT_EQ(weight.block_size, 2u);
  EXPECT_EQ(weight.n_groups, 1u);
  EXPECT_EQ(weight.n_centroids, 3u);
  EXPECT_EQ(weight.codebooks, sample().codebooks);
  EXPECT_EQ(weight.codes, sample().codes);
  EXPECT_EQ(weight.options, "block_size=2");
}

PqWeight sample_with(RowScales type, std::vector<float> row_scales) {
  PqWeight weight = sample();
  weight.row_scale_type = type;
  weight.row_scales = std::move(row_scales);
  return weight;
}

TEST(PqRecord, RowScalesAreAFeature) {
  Record record = to_record(sample_with(RowScales::kLog8, {0.5f, 0}), "fc");
  EXPECT_THAT(record.features, ElementsAre("row_scales"));
  EXPECT_EQ(record.find("row_scales")->dtype, DType::kU8);
  EXPECT_THAT(record.find("row_scales")->bytes, ElementsAre(std::byte{223}, std::byte{0}));
  PqWeight weight = PqCodec::from_record(record);
  EXPECT_EQ(weight.row_scale_type, RowScales::kLog8);
  EXPECT_THAT(weight.row_scales, ElementsAre(0.5f, 0));
  std::vector<float> w(6);
  PqCodec::decode_rows(weight, 0, {w.data(), 2, 3});  // row 0: centroids 2 and 1
  EXPECT_THAT(w, ElementsAre(-2, 0.25f, 1, 0, 0, 0));

  record = to_record(sample_with(RowScales::kF16, {0.75f, 3}), "fc");
  EXPECT_EQ(record.find("row_scales")->dtype, DType::kF16);
  weight = PqCodec::from_record(record);
  EXPECT_EQ(weight.row_scale_type, RowScales::kF16);
  EXPECT_THAT(weight.row_scales, ElementsAre(0.75f, 3));
  EXPECT_TRUE(to_record(sample(), "fc").features.empty());
}

TEST(PqRecord, OneCentroidNeedsNoCodes) {
  PqWeight weight = sample();
  weight.n_centroids = 1;
  weight.codebooks = {5, 6};
  weight.codes.assign(4, 0);
  const Record record = to_record(weight, "w");
  EXPECT_TRUE(record.find("codes")->bytes.empty());
  EXPECT_EQ(PqCodec::from_record(record).codes, weight.codes);
}

TEST(PqRecord, CodesThatNoMemoryHoldsAreRefused) {
  PqWeight weight = sample();
  weight.n_centroids = 1;
  weight.codebooks = {5, 6};
  weight.codes.clear();
  Record record = to_record(weight, "bomb");  // codes of no bits: none are stored
  record.info.shape = {std::size_t{1} << 30, std::size_t{1} << 30};
  try {
    PqCodec::from_record(record);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_THAT(error.what(), HasSubstr("'bomb': "));
  }
}

class PqBadRecord : public testing::TestWithParam<BadRecord> {};

TEST_P(PqBadRecord, IsRefused) { test::expect_refused(to_record(sample(), "fc"), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    All, PqBadRecord,
    testing::Values(
        BadRecord{"codec", ErrorCode::kUnsupported, "codec 'vq'",
                  [](Record& r) { r.codec = "vq"; }},
        BadRecord{"feature", ErrorCode::kUnsupported, "feature 'residual'",
                  [](Record& r) {
                    r.features = {"row_scales", "residual"};
                  }},
        BadRecord{"no row scales", kCorrupt, "'row_scales' is missing",
                  [](Record& r) { r.features = {"row_scales"}; }},
        BadRecord{"rank", kCorrupt, "shape [6]", [](Record& r) { r.info.shape = {6}; }},
        BadRecord{"overflow", kCorrupt, "cannot be",
                  [](Record& r) {
                    r.info.shape = {kMaxSize, kMaxSize};
                  }},
        BadRecord{"dtype", kCorrupt, "type I32", [](Record& r) { r.info.dtype = DType::kI32; }},
        BadRecord{"no codes", kCorrupt, "'codes' is missing",
                  [](Record& r) { r.sections.pop_back(); }},
        BadRecord{"no codebooks", kCorrupt, "'codebooks' is missing",
                  [](Record& r) { r.sections.erase(r.sections.begin()); }},
        BadRecord{"codebook type", kCorrupt, "type BF16",
                  [](Record& r) { section(r, "codebooks").dtype = DType::kBF16; }},
        BadRecord{"codebook rank", kCorrupt, "shape [3, 2]",
                  [](Record& r) {
                    section(r, "codebooks").shape = {3, 2};
                  }},
        BadRecord{"codebook bytes", kCorrupt, "do not fit",
                  [](Record& r) { section(r, "codebooks").bytes.pop_back(); }},
        BadRecord{"zero block size", kCorrupt, "expected [groups",
                  [](Record& r) {
                    section(r, "codebooks").shape = {1, 3, 0};
                    section(r, "codebooks").bytes.clear();
                  }},
        BadRecord{"NaN", kCorrupt, "NaN",
                  [](Record& r) { section(r, "codebooks").bytes[1] = std::byte{0x7e}; }},
        BadRecord{"groups", kCorrupt, "3 codebook groups for 2 positions",
                  [](Record& r) {
                    section(r, "codebooks").shape = {3, 1, 2};
                  }},
        BadRecord{"codes type", kCorrupt, "codes",
                  [](Record& r) { section(r, "codes").dtype = DType::kI8; }},
        BadRecord{"few codes", kCorrupt, "expected",
                  [](Record& r) {
                    r.info.shape = {9, 3};
                  }},
        BadRecord{"code out of range", kCorrupt, "code 3",
                  [](Record& r) { section(r, "codes").bytes[0] = std::byte{0xff}; }}),
    test::name_of);

class PqBadRowScales : public testing::TestWithParam<BadRecord> {};

TEST_P(PqBadRowScales, AreRefused) {
  test::expect_refused(to_record(sample_with(RowScales::kF16, {1, 1}), "fc"), GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    All, PqBadRowScales,
    testing::Values(
        BadRecord{"type", kCorrupt, "row_scales I8 of shape [4], expected U8 or F16 of shape [2]",
                  [](Record& r) {
                    section(r, "row_scales").dtype = DType::kI8;
                    section(r, "row_scales").shape = {4};
                  }},
        BadRecord{"too few", kCorrupt, "row_scales F16 of shape [1]",
                  [](Record& r) {
                    section(r, "row_scales").shape = {1};
                    section(r, "row_scales").bytes.resize(2);
                  }},
        BadRecord{"a matrix", kCorrupt, "row_scales F16 of shape [1, 2]",
                  [](Record& r) {
                    section(r, "row_scales").shape = {1, 2};
                  }},
        BadRecord{"bytes", kCorrupt, "do not fit",
                  [](Record& r) { section(r, "row_scales").bytes.pop_back(); }},
        BadRecord{"infinity", kCorrupt, "row scale inf, expected a finite number, 0 or more",
                  [](Record& r) { section(r, "row_scales").bytes[1] = std::byte{0x7c}; }},
        BadRecord{"NaN", kCorrupt, "row scale nan",
                  [](Record& r) { section(r, "row_scales").bytes[3] = std::byte{0x7e}; }},
        BadRecord{"negative", kCorrupt, "row scale -1",
                  [](Record& r) { section(r, "row_scales").bytes[1] = std::byte{0xbc}; }}),
    test::name_of);

}  // namespace
}  // namespace pqw
