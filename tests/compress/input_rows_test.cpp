#include "compress/input_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "tests/support/errors.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Subject kArray = Subject{"in.npz", ErrorCode::kInvalidArgument}.in("array", "w");

InputRows rows_of(const Shape& shape, const Shape& weight, const Window& window = {}) {
  return {shape, {"w", DType::kF32, weight}, window, kArray};
}

std::vector<double> row(const InputRows& rows, const std::vector<double>& sample, std::size_t i) {
  std::vector<double> to(rows.cols(), -1);
  rows.gather(sample, i, to);
  return to;
}

std::vector<double> counting(std::size_t n) {
  std::vector<double> values(n);
  std::iota(values.begin(), values.end(), 1);
  return values;
}

TEST(InputRows, FlattenTheLeadingDimensionsOfLinearInputs) {
  const InputRows rows = rows_of({2, 3, 4}, {5, 4});
  EXPECT_EQ(rows.n_samples(), 6u);
  EXPECT_EQ(rows.rows_per_sample(), 1u);
  EXPECT_THAT(row(rows, {1, 2, 3, 4}, 0), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(rows_of({4}, {5, 4}).n_samples(), 1u);
  EXPECT_EQ(rows_of({0, 4}, {5, 4}).n_samples(), 0u);
}

TEST(InputRows, OfAConvolutionArePatchesWithinTheInput) {
  const InputRows rows = rows_of({7, 1, 3, 3}, {5, 1, 2, 2});
  EXPECT_EQ(rows.n_samples(), 7u);
  EXPECT_EQ(rows.rows_per_sample(), 4u);
  const std::vector<double> image = counting(9);
  EXPECT_THAT(row(rows, image, 0), ElementsAre(1, 2, 4, 5));
  EXPECT_THAT(row(rows, image, 1), ElementsAre(2, 3, 5, 6));
  EXPECT_THAT(row(rows, image, 2), ElementsAre(4, 5, 7, 8));
}

TEST(InputRows, OrderPatchesByChannelThenKernel) {
  const InputRows rows = rows_of({1, 2, 3}, {4, 2, 2});
  EXPECT_EQ(rows.rows_per_sample(), 2u);
  EXPECT_THAT(row(rows, {1, 2, 3, 10, 20, 30}, 1), ElementsAre(2, 3, 20, 30));
}

TEST(InputRows, HaveStridePaddingAndDilation) {
  const std::vector<double> line = counting(5);
  const InputRows strided = rows_of({1, 1, 5}, {1, 1, 3}, {.stride = {2}, .padding = {1}});
  EXPECT_EQ(strided.rows_per_sample(), 3u);
  EXPECT_THAT(row(strided, line, 0), ElementsAre(0, 1, 2));
  EXPECT_THAT(row(strided, line, 1), ElementsAre(2, 3, 4));
  EXPECT_THAT(row(strided, line, 2), ElementsAre(4, 5, 0));
  const InputRows dilated = rows_of({1, 1, 5}, {1, 1, 3}, {.dilation = {2}});
  EXPECT_EQ(dilated.rows_per_sample(), 1u);
  EXPECT_THAT(row(dilated, line, 0), ElementsAre(1, 3, 5));
}

TEST(InputRows, HaveAWindowForEachDimension) {
  const Window window{.stride = {2, 1}, .padding = {0, 1}};
  const InputRows rows = rows_of({1, 1, 4, 2}, {1, 1, 2, 2}, window);
  EXPECT_EQ(rows.rows_per_sample(), 6u);          // 2 rows, 3 columns
  const std::vector<double> image = counting(8);  // rows (1 2), (3 4), (5 6), (7 8)
  EXPECT_THAT(row(rows, image, 0), ElementsAre(0, 1, 0, 3));
  EXPECT_THAT(row(rows, image, 2), ElementsAre(2, 0, 4, 0));
  EXPECT_THAT(row(rows, image, 4), ElementsAre(5, 6, 7, 8));
}

TEST(InputRows, OfAConvolutionMayBePatchesAlready) {
  const InputRows rows = rows_of({9, 8}, {5, 2, 2, 2});
  EXPECT_EQ(rows.n_samples(), 9u);
  EXPECT_EQ(rows.rows_per_sample(), 1u);
  EXPECT_EQ(rows.cols(), 8u);
}

TEST(InputRows, RefuseShapesThatDoNotFit) {
  const auto message = [](const Shape& shape, const Shape& weight, const Window& window = {}) {
    return std::string(test::error_of([&] { rows_of(shape, weight, window); }).what());
  };
  EXPECT_EQ(message({2, 3}, {5, 4}),
            "in.npz: array 'w': shape [2, 3], expected [..., 4] for the weight of shape [5, 4]");
  EXPECT_THAT(message({}, {5, 4}), HasSubstr("shape []"));
  EXPECT_THAT(message({1, 3, 9, 9}, {5, 2, 3, 3}),
              HasSubstr("shape [1, 3, 9, 9], expected [n, 2, spatial, spatial] or [rows, 18]"));
  EXPECT_THAT(message({1, 1, 4}, {1, 1, 3}, {.dilation = {2}}),
              HasSubstr("dimension 2 with padding 0 has 4 elements, the kernel spans 5"));
  EXPECT_THAT(message({1, 1, 9, 9}, {5, 1, 3, 3}, {.stride = {1, 1, 1}}),
              HasSubstr("stride has 3 numbers, expected 1 or 2 for the kernel of shape"));
}

TEST(InputRows, OfGroupsFollowEachOther) {
  const InputRows rows = rows_of({1, 4, 3}, {6, 2, 2});  // 2 groups of 2 channels
  EXPECT_EQ(rows.cols(), 8u);
  EXPECT_EQ(rows.rows_per_sample(), 2u);
  const std::vector<double> lines = {1, 2, 3, 10, 20, 30, 4, 5, 6, 40, 50, 60};
  EXPECT_THAT(row(rows, lines, 1), ElementsAre(2, 3, 20, 30, 5, 6, 50, 60));
  EXPECT_EQ(rows_of({9, 8}, {6, 2, 2}).cols(), 8u) << "patches of 2 groups";
  EXPECT_THAT(test::error_of([] {
                rows_of({1, 8, 3}, {6, 2, 2});
              }).what(),
              HasSubstr("expected [n, 2, spatial] or [rows, 4], or G times as many in G groups"))
      << "6 rows are not 4 groups";
}

TEST(InputRows, OfATransposedConvolutionAreWhatAnOutputSees) {
  const TensorInfo weight{"w", DType::kF32, {1, 1, 3}, {}, {Kind::kTransposedConv}};
  // y[p] is the sum of x[q] w[t] with 2 q + t = p + 1.
  const InputRows rows({1, 1, 3}, weight, {.stride = {2}, .padding = {1}}, kArray);
  EXPECT_EQ(rows.rows_per_sample(), 5u);
  const std::vector<double> line = counting(3);
  EXPECT_THAT(row(rows, line, 0), ElementsAre(0, 1, 0));
  EXPECT_THAT(row(rows, line, 1), ElementsAre(2, 0, 1));
  EXPECT_THAT(row(rows, line, 2), ElementsAre(0, 2, 0));
  EXPECT_THAT(row(rows, line, 4), ElementsAre(0, 3, 0));
  const InputRows dilated({1, 1, 2}, weight, {.dilation = {2}}, kArray);
  EXPECT_EQ(dilated.rows_per_sample(), 6u);
  EXPECT_THAT(row(dilated, counting(2), 2), ElementsAre(0, 1, 0));
  EXPECT_THAT(row(dilated, counting(2), 5), ElementsAre(0, 0, 2));
  EXPECT_THAT(test::error_of([&] {
                InputRows({1, 1, 1}, weight, {.padding = {2}}, kArray);
              }).what(),
              HasSubstr("dimension 2 gives no outputs with padding 2"));
}

TEST(InputRows, AreNotThereForChannelsWithSeveralOutputs) {
  TensorInfo weight{"w", DType::kF32, {8, 2, 3, 3}};
  EXPECT_EQ(obstacle_to_rows(weight), "");
  weight.layout.kind = Kind::kDepthwise;
  EXPECT_THAT(obstacle_to_rows(weight), HasSubstr("2 outputs for each channel"));
  weight.shape = {8, 1, 3, 3};
  EXPECT_EQ(obstacle_to_rows(weight), "");
}

TEST(InputRows, TakeWindowsFromSettings) {
  Window window;
  EXPECT_TRUE(set_window("stride", "2x3", window));
  EXPECT_TRUE(set_window("padding", "0", window));
  EXPECT_TRUE(set_window("dilation", "4", window));
  EXPECT_FALSE(set_window("kind", "conv", window));
  EXPECT_THAT(window.stride, ElementsAre(2, 3));
  EXPECT_THAT(window.padding, ElementsAre(0));
  EXPECT_THAT(window.dilation, ElementsAre(4));
  for (const char* wrong : {"0", "", "x", "2x", "-1", "1x1x1x1x1x1x1x1x1"}) {
    const Error error = test::error_of([&] { set_window("stride", wrong, window); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("stride=" + std::string(wrong) + ": expected a whole"));
  }
}

}  // namespace
}  // namespace pqw
