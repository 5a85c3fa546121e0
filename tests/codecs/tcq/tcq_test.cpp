// Trellis-coded weights: decoding, sizes, records, products with wide integers.
#include "pqw/codecs/tcq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "tests/codecs/bad_record.h"
#include "tests/support/random_tcq_weight.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;
using test::section;
using testing::ElementsAre;

TcqWeight sample() {
  TcqWeight weight{{{2, 3}, DType::kBF16, "bits=4"}};
  weight.step = 0.5f;
  weight.values = {0, 2, -4, 4, 0, 0};
  weight.fineness = {0, 4};
  weight.means = {1, 0, -2};
  return weight;
}

TEST(Tcq, DecodesByHand) {
  std::vector<float> w(6);
  decode_rows(sample(), 0, {w.data(), 2, 3});
  EXPECT_THAT(w, ElementsAre(1, 1, -4, 1.5f, 0, -2));
  decode_rows(sample(), 1, {w.data(), 1, 3});
  EXPECT_EQ(w[0], 1.5f);
  EXPECT_EQ(summary(sample()), "step=0.5,scales=row,means=on");
}

TEST(Tcq, FinenessCountsHalfOctaves) {
  TcqWeight weight = sample();
  weight.fineness = {1, 63};
  EXPECT_FLOAT_EQ(weight.row_step(0), 0.35355339f);
  EXPECT_FLOAT_EQ(weight.row_step(1), 0.35355339f * 0x1p-31f);
}

TEST(Tcq, RecordsComeBack) {
  for (const bool scaled : {false, true}) {
    for (const bool with_means : {false, true}) {
      const TcqWeight weight = test::random_tcq_weight({37, 5, 3}, scaled, with_means);
      const auto back = std::get<TcqWeight>(weight_from_record(to_record(weight, "fc")));
      EXPECT_EQ(back.values, weight.values);
      EXPECT_EQ(back.fineness, weight.fineness);
      EXPECT_EQ(back.means, weight.means);
      EXPECT_EQ(back.step, weight.step);
      EXPECT_EQ(parameter_count(back), 37u * 15);
    }
  }
}

// 64 MiB of integers are free, 200 bytes of them need a byte.
TEST(Tcq, RecordsOfManyZerosAreFilledUp) {
  TcqWeight weight{{{1 << 13, 1 << 13}, DType::kF32}};
  weight.values.resize(std::size_t{1} << 26);
  const Record record = to_record(weight, "fc");
  EXPECT_EQ(data_bytes(record), 4 + (std::size_t{1} << 26) / 200);
  EXPECT_EQ(std::get<TcqWeight>(weight_from_record(record)).values, weight.values);
}

class BadTcqRecord : public testing::TestWithParam<BadRecord> {};

TEST_P(BadTcqRecord, IsRefused) {
  test::expect_refused(to_record(test::random_tcq_weight({20, 30}, true, true), "fc"), GetParam());
}

Section& resized(Record& record, const char* name, int more_bytes) {
  Section& s = section(record, name);
  s.bytes.resize(s.bytes.size() + static_cast<std::size_t>(more_bytes));
  s.shape = {s.bytes.size()};
  return s;
}

void set_float(Section& s, float value) { std::memcpy(s.bytes.data(), &value, sizeof value); }

INSTANTIATE_TEST_SUITE_P(
    Records, BadTcqRecord,
    testing::Values(
        BadRecord{"unknown feature", ErrorCode::kUnsupported, "feature 'x'",
                  [](Record& r) { r.features = {"x"}; }},
        BadRecord{"no step", kCorrupt, "section 'step' is missing",
                  [](Record& r) { section(r, "step").name = "other"; }},
        BadRecord{"step 0", kCorrupt, "step 0, expected",
                  [](Record& r) { set_float(section(r, "step"), 0); }},
        BadRecord{"step NaN", kCorrupt, "step nan",
                  [](Record& r) { set_float(section(r, "step"), std::nanf("")); }},
        BadRecord{"huge step", kCorrupt, "beyond the range",
                  [](Record& r) { set_float(section(r, "step"), 3e38f); }},
        BadRecord{"type of step", kCorrupt, "section 'step': I32 [1], expected F32 [1]",
                  [](Record& r) { section(r, "step").dtype = DType::kI32; }},
        BadRecord{"few means", kCorrupt, "section 'means': BF16 [29], expected BF16 [30]",
                  [](Record& r) { resized(r, "means", -2).shape = {29}; }},
        BadRecord{"infinite mean", kCorrupt, "beyond the range",
                  [](Record& r) {
                    section(r, "means").bytes[0] = std::byte{0x80};
                    section(r, "means").bytes[1] = std::byte{0x7f};
                  }},
        BadRecord{"rank of tokens", kCorrupt, "expected U8 of rank 1",
                  [](Record& r) {
                    section(r, "tokens").shape = {1, section(r, "tokens").bytes.size()};
                  }},
        BadRecord{"no model", kCorrupt, "the model", [](Record& r) { resized(r, "model", -20); }},
        BadRecord{"longer model", kCorrupt, "the model", [](Record& r) { resized(r, "model", 1); }},
        BadRecord{"kind of drops", kCorrupt, "the model",
                  [](Record& r) { section(r, "model").bytes[0] |= std::byte{3}; }},
        BadRecord{"shorter tokens", kCorrupt, "the stream ends before its last symbol",
                  [](Record& r) { resized(r, "tokens", -4); }},
        BadRecord{"longer tokens", kCorrupt, "the stream goes on",
                  [](Record& r) { resized(r, "tokens", 2); }},
        BadRecord{"shorter raw bits", kCorrupt, "raw bits",
                  [](Record& r) { resized(r, "raw", -9); }},
        BadRecord{"more raw bits", kCorrupt, "raw bits",
                  [](Record& r) { resized(r, "raw", 1).bytes.back() = std::byte{1}; }},
        BadRecord{"other rows", kCorrupt, "the stream",
                  [](Record& r) {
                    r.info.shape = {21, 30};
                  }},
        BadRecord{"many rows", kCorrupt, "bytes for shape",
                  [](Record& r) {
                    r.info.shape = {std::size_t{1} << 40, 30};
                  }},
        BadRecord{"many rows without columns", kCorrupt, "bytes for shape",
                  [](Record& r) {
                    r.info.shape = {std::size_t{1} << 60, 0};
                    std::erase_if(r.sections, [](const Section& s) { return s.name == "means"; });
                  }}),
    test::name_of);

// With few integers beyond 8 bits and with many.
TEST(TcqProduct, RowsAreTheDecodedOnes) {
  for (const float spread : {20.0f, 2000.0f}) {
    const TcqWeight weight = test::random_tcq_weight({33, 70}, true, true, spread);
    const std::vector<float> dense = test::decoded(weight);
    for (const ServeLayout layout : {ServeLayout::kProducts, ServeLayout::kRows}) {
      const auto product = make_product(weight, {.precision = Precision::kFast, .layout = layout});
      std::vector<float> rows(dense.size());
      for (std::size_t r = 0; r < 33; ++r)
        product->decode_row(r, std::span(rows).subspan(r * 70, 70));
      EXPECT_EQ(rows, dense);
    }
  }
}

}  // namespace
}  // namespace pqw
