// Records of tensors whose files store the dimensions in another order than weights have.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codecs/record_checks.h"
#include "tests/codecs/bad_record.h"
#include "tests/support/reference.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

using test::BadRecord;
using test::kCorrupt;

// The tensor of a convolution, [h, w, in, out].
const TensorInfo kInFile{"fc", DType::kF32, {3, 3, 4, 8}, {}, {Kind::kConv, {3, 2, 0, 1}}};

Record sample() {
  return transposed(to_record(test::random_pq_weight({8, 4, 3, 3}, 4, 9), "fc"), kInFile);
}

TEST(Transposed, EveryCodecGivesTheCanonicalWeight) {
  for (const auto& [name, weight] : test::weights_of_every_codec({8, 4, 3, 3})) {
    if (name == "tensorized, tucker, one of two layers") continue;
    const Record record = transposed(to_record(weight, "fc"), kInFile);
    EXPECT_EQ(record.info, kInFile);
    EXPECT_TRUE(has_feature(record, "transposed"));
    const Weight read = weight_from_record(record);
    EXPECT_EQ(head_of(read).shape, Shape({8, 4, 3, 3})) << name;
    EXPECT_EQ(test::decoded(read), test::decoded(weight_from_record(to_record(weight, "fc"))))
        << name;
  }
}

TEST(Transposed, WithoutAxesRecordsStayTheSame) {
  const Record before = to_record(test::random_pq_weight({8, 4}, 4, 9), "fc");
  const Record after = transposed(before, {"fc", DType::kF32, {8, 4}, {}, Layout{Kind::kLinear}});
  EXPECT_EQ(after.features, before.features);
  EXPECT_EQ(after.info.shape, before.info.shape);
  EXPECT_EQ(after.info.layout.kind, Kind::kLinear);
}

class BadAxes : public testing::TestWithParam<BadRecord> {};

TEST_P(BadAxes, AreRefused) { test::expect_refused(sample(), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    All, BadAxes,
    testing::Values(BadRecord{"feature without axes", kCorrupt, "axes []",
                              [](Record& r) { r.info.layout.axes.clear(); }},
                    BadRecord{"axes without feature", kCorrupt, "axes [3, 2, 0, 1]",
                              [](Record& r) { std::erase(r.features, "transposed"); }},
                    BadRecord{"too few", kCorrupt, "axes [1, 0]",
                              [](Record& r) {
                                r.info.layout.axes = {1, 0};
                              }},
                    BadRecord{"too many", kCorrupt, "axes [0, 1, 2, 3, 4]",
                              [](Record& r) {
                                r.info.layout.axes = {0, 1, 2, 3, 4};
                              }},
                    BadRecord{"one twice", kCorrupt, "axes [3, 2, 0, 0]",
                              [](Record& r) {
                                r.info.layout.axes = {3, 2, 0, 0};
                              }},
                    BadRecord{"beyond the rank", kCorrupt, "axes [3, 2, 0, 4]",
                              [](Record& r) {
                                r.info.layout.axes = {3, 2, 0, 4};
                              }}),
    test::name_of);

}  // namespace
}  // namespace pqw
