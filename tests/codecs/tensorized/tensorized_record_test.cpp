#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"
#include "tests/codecs/bad_record.h"
#include "tests/support/random_tensorized_weight.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;
using test::section;
using testing::ElementsAre;
using testing::HasSubstr;

TensorizedWeight sample() {
  TensorizedWeight weight =
      test::random_tensorized_weight({5, 4}, {TensorForm::kTt, {2, 3}, {4}, 1, {2, 3}});
  weight.options = "form=tt";
  return weight;
}

std::vector<std::uint64_t> numbers(const Section& layout) {
  std::vector<std::uint64_t> values(layout.bytes.size() / 8);
  std::memcpy(values.data(), layout.bytes.data(), layout.bytes.size());
  return values;
}

void set_layout(Record& record, const std::vector<std::uint64_t>& values) {
  Section& layout = section(record, "layout");
  layout.shape = {values.size()};
  layout.bytes.resize(values.size() * 8);
  std::memcpy(layout.bytes.data(), values.data(), layout.bytes.size());
}

TEST(TensorizedRecord, SectionsAreAsSpecified) {
  Record record = to_record(sample(), "fc");
  EXPECT_EQ(record.info, (TensorInfo{"fc", DType::kF32, {5, 4}}));
  EXPECT_EQ(record.codec, "tensorized");
  // tt, one layer, the first, 2 modes and 1, the modes, the ranks
  EXPECT_THAT(numbers(section(record, "layout")), ElementsAre(2, 1, 0, 2, 1, 2, 3, 4, 2, 3));
  EXPECT_THAT(section(record, "factor0").shape, ElementsAre(2, 2));
  EXPECT_THAT(section(record, "factor1").shape, ElementsAre(2 * 3, 3));
  EXPECT_THAT(section(record, "factor2").shape, ElementsAre(3, 4));
}

TEST(TensorizedRecord, ComesBack) {
  const auto weight = std::get<TensorizedWeight>(weight_from_record(to_record(sample(), "fc")));
  EXPECT_EQ(weight.shape, sample().shape);
  EXPECT_EQ(weight.dtype, DType::kF32);
  EXPECT_EQ(weight.layout, sample().layout);
  EXPECT_EQ(weight.options, "form=tt");
  EXPECT_EQ(test::decoded(weight), test::decoded(sample()));
}

TEST(TensorizedRecord, QuantizedFactorsComeBack) {
  const FloatTensor tensor{{"w", DType::kF32, {20, 30}}, test::normal_values(600, 1)};
  for (const char* factors :
       {"factors.codec=pq,factors.block_size=2,factors.centroids=8",
        "factors.codec=tensorized,factors.rank=0.9,factors.modes=2",
        "factors.codec=tensorized,factors.factors.codec=pq,factors.rank=0.9"}) {
    const auto options =
        options_from(parse_settings(std::string("codec=tensorized,rank=0.9,modes=2,") + factors));
    const Weight weight = Encoding(tensor, options).encode();
    const Weight back = weight_from_record(to_record(weight, "w"));
    EXPECT_EQ(test::decoded(back), test::decoded(weight)) << factors;
    EXPECT_EQ(data_bytes(to_record(back, "w")), data_bytes(to_record(weight, "w")));
    EXPECT_THAT(summary(weight), HasSubstr(",factors="));
  }
}

TEST(TensorizedRecord, LayersShareFactors) {
  const TensorLayout layout{TensorForm::kCp, {2, 3}, {4}, 3, {2}};
  const TensorizedWeight owner = test::random_tensorized_weight({5, 4}, layout, 0);
  TensorizedWeight layer = owner;
  layer.layer = 2;
  const Record record = to_record_sharing(layer, "c", "a/b");
  EXPECT_EQ(shared_with(record), "a/b");
  EXPECT_EQ(shared_with(to_record(owner, "a/b")), std::nullopt);
  const auto read_owner = TensorizedCodec::from_record(to_record(owner, "a/b"));
  const auto back = tensorized_from_record(record, read_owner);
  EXPECT_EQ(back.layer, 2u);
  EXPECT_EQ(back.factors, read_owner.factors);
  EXPECT_EQ(test::decoded(back), test::decoded(layer));
  EXPECT_NE(test::decoded(back), test::decoded(owner));
  // Its own record, with all factors, says the same.
  EXPECT_EQ(test::decoded(weight_from_record(to_record(layer, "c"))), test::decoded(layer));
  // Without its factors it cannot be read, nor with those of another layout.
  EXPECT_THROW(weight_from_record(record), Error);
  EXPECT_THROW(tensorized_from_record(record, sample()), Error);
}

class TensorizedBadRecord : public testing::TestWithParam<BadRecord> {};

TEST_P(TensorizedBadRecord, IsRefused) {
  test::expect_refused(to_record(sample(), "fc"), GetParam());
}

constexpr std::uint64_t kHuge = std::uint64_t{1} << 62;

INSTANTIATE_TEST_SUITE_P(
    All, TensorizedBadRecord,
    testing::Values(
        BadRecord{"feature", ErrorCode::kUnsupported, "feature 'new'",
                  [](Record& r) { r.features = {"new"}; }},
        BadRecord{"rank", kCorrupt, "shape [20]", [](Record& r) { r.info.shape = {20}; }},
        BadRecord{"dtype", kCorrupt, "type I32", [](Record& r) { r.info.dtype = DType::kI32; }},
        BadRecord{"no layout", kCorrupt, "'layout' is missing",
                  [](Record& r) { r.sections.erase(r.sections.begin()); }},
        BadRecord{"layout type", kCorrupt, "U64",
                  [](Record& r) { section(r, "layout").dtype = DType::kI64; }},
        BadRecord{"short layout", kCorrupt, "7 or more",
                  [](Record& r) {
                    set_layout(r, {2, 1, 0});
                  }},
        BadRecord{"form", kCorrupt, "not a valid layout",
                  [](Record& r) {
                    set_layout(r, {4, 1, 0, 2, 1, 2, 3, 4, 2, 3});
                  }},
        BadRecord{"layer", kCorrupt, "not a valid layout",
                  [](Record& r) {
                    set_layout(r, {2, 1, 1, 2, 1, 2, 3, 4, 2, 3});
                  }},
        BadRecord{"many modes", kCorrupt, "not a valid layout",
                  [](Record& r) {
                    set_layout(r, {2, 1, 0, kHuge, 1, 2, 3, 4, 2, 3});
                  }},
        BadRecord{"modes that overflow", kCorrupt, "not a valid layout",
                  [](Record& r) {
                    set_layout(r, {2, 1, 0, ~std::uint64_t{0}, 2, 2, 3, 4, 2, 3});
                  }},
        BadRecord{"few ranks", kCorrupt, "expected 2 ranks",
                  [](Record& r) {
                    set_layout(r, {2, 1, 0, 2, 1, 2, 3, 4, 2});
                  }},
        BadRecord{"zero rank", kCorrupt, "above zero",
                  [](Record& r) {
                    set_layout(r, {2, 1, 0, 2, 1, 2, 3, 4, 0, 3});
                  }},
        BadRecord{"huge ranks", kCorrupt, "overflow",
                  [](Record& r) {
                    set_layout(r, {2, 1, 0, 2, 1, 2, 3, 4, kHuge, kHuge});
                  }},
        BadRecord{"huge layers", kCorrupt, "expected 3 ranks",
                  [](Record& r) {
                    set_layout(r, {2, kHuge, 0, 2, 1, 2, 3, 4, 2, 3});
                  }},
        BadRecord{"modes too small", kCorrupt, "do not fit the shape",
                  [](Record& r) {
                    r.info.shape = {7, 4};
                  }},
        BadRecord{"modes too large", kCorrupt, "do not fit the shape",
                  [](Record& r) {
                    r.info.shape = {3, 4};
                  }},
        BadRecord{"no elements", kCorrupt, "do not fit the shape",
                  [](Record& r) {
                    r.info.shape = {0, 4};
                  }},
        BadRecord{"no factor", kCorrupt, "'factor2' is missing",
                  [](Record& r) { r.sections.pop_back(); }},
        BadRecord{"factor shape", kCorrupt, "expected [6, 3]",
                  [](Record& r) {
                    section(r, "factor1").shape = {3, 6};
                  }},
        BadRecord{"factor type", kCorrupt, "float type",
                  [](Record& r) { section(r, "factor1").dtype = DType::kI32; }},
        BadRecord{"factor bytes", kCorrupt, "do not fit its shape",
                  [](Record& r) { section(r, "factor1").bytes.pop_back(); }},
        BadRecord{"NaN", kCorrupt, "NaN",
                  [](Record& r) {
                    section(r, "factor1").bytes[3] = std::byte{0x7f};
                    section(r, "factor1").bytes[2] = std::byte{0xff};
                  }},
        BadRecord{"shared", ErrorCode::kUnsupported, "'other'",
                  [](Record& r) {
                    const char* other = "other";
                    const auto* bytes = reinterpret_cast<const std::byte*>(other);
                    r.sections.push_back({"shared_with", DType::kU8, {5}, {bytes, bytes + 5}});
                  }}),
    test::name_of);

}  // namespace
}  // namespace pqw
