// Int8 weights: adopting, decoding, sizes, records.
#include "pqw/codecs/int8.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "pqw/codecs/weight.h"
#include "pqw/core/error.h"
#include "tests/codecs/bad_record.h"
#include "tests/support/random_int8_weight.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;
using test::kMaxSize;
using test::section;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr float kMax = std::numeric_limits<float>::max();

Int8Weight sample() {
  Int8Weight weight =
      int8_from_reference({2, 3}, {-128, 0, 127, 1, 2, 3}, {0.5f, 2.0f}, {0, -2}, DType::kBF16);
  weight.activations = ActivationRange::kBatch;
  return weight;
}

TEST(Int8, DecodesByHand) {
  std::vector<float> w(6);
  Int8Codec::decode_rows(sample(), 0, {w.data(), 2, 3});
  EXPECT_THAT(w, ElementsAre(-64, 0, 63.5f, 6, 8, 10));
  std::vector<float> row(3);
  decode_rows(sample(), 1, {row.data(), 1, 3});
  EXPECT_THAT(row, ElementsAre(6, 8, 10));
}

TEST(Int8, OneScaleServesAllRows) {
  const Int8Weight weight = int8_from_reference({2, 1, 2}, {1, 2, 3, 4}, {0.25f}, {1});
  std::vector<float> w(4);
  Int8Codec::decode_rows(weight, 0, {w.data(), 2, 2});
  EXPECT_THAT(w, ElementsAre(0, 0.25f, 0.5f, 0.75f));
}

TEST(Int8, SizeCountsWhatIsStored) {
  EXPECT_EQ(data_bytes(to_record(sample(), "w")), 6u + 2 * 4 + 2 + 1);
  EXPECT_EQ(data_bytes(to_record(int8_from_reference({2, 2}, {1, 2, 3, 4}, {1}), "w")), 4u + 4);
  EXPECT_EQ(parameter_count(sample()), 6u);
}

TEST(Int8, SummaryTellsTheScheme) {
  EXPECT_EQ(summary(sample()), "per=row,scheme=affine,activations=batch");
  EXPECT_EQ(summary(int8_from_reference({2, 2}, {1, 2, 3, 4}, {1})),
            "per=tensor,scheme=symmetric,activations=row");
}

TEST(Int8Reference, AdoptsEveryBit) {
  const auto values = test::random_int8(7 * 9, 1);
  const auto zero_points = test::random_int8(7, 2);
  const std::vector<float> scales(7, 0.1f);
  const Int8Weight weight = int8_from_reference({7, 9}, values, scales, zero_points);
  EXPECT_EQ(weight.values, values);
  EXPECT_EQ(weight.scales, scales);
  EXPECT_EQ(weight.zero_points, zero_points);
  EXPECT_EQ(weight.dtype, DType::kF32);
}

TEST(Int8Reference, RefusesWhatDoesNotFit) {
  const auto refused = [](Shape shape, std::vector<std::int8_t> values, std::vector<float> scales,
                          std::vector<std::int8_t> zero_points, DType dtype, const char* message) {
    try {
      int8_from_reference(std::move(shape), std::move(values), std::move(scales),
                          std::move(zero_points), dtype);
      ADD_FAILURE() << "accepted, expected: " << message;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  };
  const float nan = std::numeric_limits<float>::quiet_NaN();
  refused({2, 2}, {1, 2, 3}, {1}, {}, DType::kF32, "3 values for shape [2, 2]");
  refused({4}, {1, 2, 3, 4}, {1}, {}, DType::kF32, "rank 2");
  refused({2, 2}, {1, 2, 3, 4}, {}, {}, DType::kF32, "0 scales, expected 1 or 2");
  refused({2, 2}, {1, 2, 3, 4}, {1, 1, 1}, {}, DType::kF32, "3 scales");
  refused({2, 2}, {1, 2, 3, 4}, {1, 1}, {0}, DType::kF32, "1 zero points for 2 scales");
  refused({2, 2}, {1, 2, 3, 4}, {1, 0}, {}, DType::kF32, "scale 0");
  refused({2, 2}, {1, 2, 3, 4}, {-1}, {}, DType::kF32, "scale -1");
  refused({2, 2}, {1, 2, 3, 4}, {nan}, {}, DType::kF32, "scale nan");
  refused({2, 2}, {1, 2, 3, 4}, {1, kMax * 2}, {}, DType::kF32, "scale inf");
  refused({2, 2}, {1, 2, 3, 4}, {1, kMax}, {}, DType::kF32, "beyond the range");
  refused({2, 2}, {1, 2, 3, 4}, {1}, {}, DType::kI8, "I8 is not a float type");
}

TEST(Int8Record, SectionsAreAsSpecified) {
  const Record record = to_record(sample(), "fc");
  EXPECT_EQ(record.info, (TensorInfo{"fc", DType::kBF16, {2, 3}}));
  EXPECT_EQ(record.codec, "int8");
  EXPECT_EQ(record.options, "source=reference");
  ASSERT_EQ(record.sections.size(), 4u);
  EXPECT_EQ(record.sections[0].name, "values");
  EXPECT_EQ(record.sections[0].dtype, DType::kI8);
  EXPECT_THAT(record.sections[0].shape, ElementsAre(2, 3));
  EXPECT_THAT(record.sections[0].bytes, ElementsAre(std::byte{0x80}, std::byte{0}, std::byte{0x7f},
                                                    std::byte{1}, std::byte{2}, std::byte{3}));
  EXPECT_EQ(record.sections[1].name, "scales");
  EXPECT_THAT(record.sections[1].bytes,
              ElementsAre(std::byte{0}, std::byte{0}, std::byte{0}, std::byte{0x3f}, std::byte{0},
                          std::byte{0}, std::byte{0}, std::byte{0x40}));
  EXPECT_EQ(record.sections[2].name, "zero_points");
  EXPECT_THAT(record.sections[2].bytes, ElementsAre(std::byte{0}, std::byte{0xfe}));
  EXPECT_EQ(record.sections[3].name, "activations");
  EXPECT_THAT(record.sections[3].bytes, ElementsAre(std::byte{1}));
}

TEST(Int8Record, DefaultsTakeNoSections) {
  EXPECT_EQ(to_record(int8_from_reference({1, 2}, {1, 2}, {1}), "w").sections.size(), 2u);
}

TEST(Int8Record, ComesBack) {
  const auto back = std::get<Int8Weight>(weight_from_record(to_record(sample(), "fc")));
  EXPECT_EQ(back.shape, sample().shape);
  EXPECT_EQ(back.dtype, DType::kBF16);
  EXPECT_EQ(back.activations, ActivationRange::kBatch);
  EXPECT_EQ(back.options, sample().options);
  EXPECT_EQ(back.values, sample().values);
  EXPECT_EQ(back.scales, sample().scales);
  EXPECT_EQ(back.zero_points, sample().zero_points);
}

void remove(Record& record, const std::string& name) {
  std::erase_if(record.sections, [&](const Section& s) { return s.name == name; });
}

void set_scale(Record& record, float scale) {
  std::memcpy(section(record, "scales").bytes.data(), &scale, sizeof(scale));
}

class Int8BadRecord : public testing::TestWithParam<BadRecord> {};

TEST_P(Int8BadRecord, IsRefused) { test::expect_refused(to_record(sample(), "fc"), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    All, Int8BadRecord,
    testing::Values(
        BadRecord{"feature", ErrorCode::kUnsupported, "feature 'residual'",
                  [](Record& r) { r.features = {"residual"}; }},
        BadRecord{"rank", kCorrupt, "shape [6]", [](Record& r) { r.info.shape = {6}; }},
        BadRecord{"overflow", kCorrupt, "cannot be",
                  [](Record& r) {
                    r.info.shape = {kMaxSize, kMaxSize};
                  }},
        BadRecord{"dtype", kCorrupt, "type I8", [](Record& r) { r.info.dtype = DType::kI8; }},
        BadRecord{"no values", kCorrupt, "'values' is missing",
                  [](Record& r) { remove(r, "values"); }},
        BadRecord{"no scales", kCorrupt, "'scales' is missing",
                  [](Record& r) { remove(r, "scales"); }},
        BadRecord{"values type", kCorrupt, "U8 [2, 3], expected I8 [2, 3]",
                  [](Record& r) { section(r, "values").dtype = DType::kU8; }},
        BadRecord{"values shape", kCorrupt, "I8 [3, 2], expected I8 [2, 3]",
                  [](Record& r) {
                    section(r, "values").shape = {3, 2};
                  }},
        BadRecord{"values bytes", kCorrupt, "do not fit",
                  [](Record& r) { section(r, "values").bytes.pop_back(); }},
        BadRecord{"scales type", kCorrupt, "I32 [2], expected F32",
                  [](Record& r) { section(r, "scales").dtype = DType::kI32; }},
        BadRecord{"scales rank", kCorrupt, "F32 [2, 1], expected F32 of rank 1",
                  [](Record& r) {
                    section(r, "scales").shape = {2, 1};
                  }},
        BadRecord{"scales count", kCorrupt, "0 scales",
                  [](Record& r) {
                    section(r, "scales").shape = {0};
                    section(r, "scales").bytes.clear();
                    remove(r, "zero_points");
                  }},
        BadRecord{"zero scale", kCorrupt, "scale 0", [](Record& r) { set_scale(r, 0); }},
        BadRecord{"negative scale", kCorrupt, "scale -1", [](Record& r) { set_scale(r, -1); }},
        BadRecord{"infinite scale", kCorrupt, "scale inf",
                  [](Record& r) { set_scale(r, std::numeric_limits<float>::infinity()); }},
        BadRecord{"huge scale", kCorrupt, "beyond the range",
                  [](Record& r) { set_scale(r, kMax); }},
        BadRecord{"zero points type", kCorrupt, "expected I8 [2]",
                  [](Record& r) { section(r, "zero_points").dtype = DType::kU8; }},
        BadRecord{"zero points count", kCorrupt, "I8 [1], expected I8 [2]",
                  [](Record& r) {
                    section(r, "zero_points").shape = {1};
                    section(r, "zero_points").bytes.pop_back();
                  }},
        BadRecord{"activations", kCorrupt, "'activations'",
                  [](Record& r) { section(r, "activations").bytes[0] = std::byte{2}; }},
        BadRecord{"activations type", kCorrupt, "'activations'",
                  [](Record& r) { section(r, "activations").dtype = DType::kI8; }}),
    test::name_of);

}  // namespace
}  // namespace pqw
