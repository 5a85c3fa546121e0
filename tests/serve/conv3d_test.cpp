#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "pqw/serve/convolution.h"
#include "tests/serve/convolution_testing.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

struct Case {
  Shape weight;  // [out, in/groups, kd, kh, kw]
  VolumeShape input;
  Conv3dOptions options;
  Size3d output;  // by hand
};

const Case kCases[] = {
    {{5, 2, 2, 3, 3}, {2, 2, 4, 6, 5}, {}, {3, 4, 3}},
    {{4, 3, 3, 1, 2}, {1, 3, 5, 4, 6}, {.stride = {2, 1, 3}, .padding = {1, 0, 2}}, {3, 4, 3}},
    {{3, 2, 2, 2, 3}, {1, 2, 7, 6, 9}, {.dilation = {3, 2, 4}}, {4, 4, 1}},
    {{40, 2, 3, 3, 3}, {1, 2, 4, 5, 5}, {.padding = {1, 1, 1}}, {4, 5, 5}},
    {{6, 1, 3, 3, 2},
     {2, 3, 5, 4, 6},
     {.stride = {2, 3, 2}, .padding = {1, 2, 0}, .dilation = {2, 1, 3}, .groups = 3},
     {2, 2, 2}},
    {{2, 1, 1, 1, 1}, {1, 2, 1, 1, 1}, {.padding = {1, 0, 2}, .groups = 2}, {3, 1, 5}},
    {{2, 1, 1, 2, 1}, {0, 1, 3, 4, 4}, {}, {3, 3, 4}},  // no volume
};

TEST(Conv3d, EqualsTheDefinition) {
  for (const Case& c : kCases) {
    const auto bias = test::normal_values(c.weight[0], 6);
    const auto x = test::normal_values(c.input.size(), 5);
    for (const test::NamedWeight& named : test::weights_of_every_codec(c.weight)) {
      for (const test::NamedPrecision& precision : test::kPrecisions) {
        SCOPED_TRACE(to_string(c.weight) + " " + named.name + " " + precision.name);
        const Conv3d layer(named.weight, bias, c.options, {.precision = precision.precision});
        const VolumeShape output = layer.output_shape(c.input);
        ASSERT_EQ(output,
                  (VolumeShape{c.input.batch, c.weight[0], c.output[0], c.output[1], c.output[2]}));
        std::vector<float> y(output.size(), 1e9f);
        const auto run = [&] { layer.forward(x, c.input, y); };
        EXPECT_TRUE(test::same_on_any_threads(run, y));
        const auto expected =
            test::convolution(x, c.input, test::decoded(named.weight),
                              {c.weight[2], c.weight[3], c.weight[4]}, bias, c.options, output);
        EXPECT_LE(test::relative_error(y, expected), precision.bound);
        EXPECT_FALSE(layer.describe(c.input).empty());
      }
    }
  }
}

TEST(Conv3d, ShapesThatDoNotFitAreRefused) {
  EXPECT_THROW(Conv3d(test::random_pq_weight({6, 2, 3, 3}, 4, 5)), Error);
  EXPECT_THROW(Conv3d(test::random_pq_weight({6, 2, 3, 3, 3}, 4, 5), {1, 2}), Error) << "bias";
  EXPECT_THROW(Conv3d(test::random_pq_weight({6, 2, 3, 3, 3}, 4, 5), {}, {.stride = {0, 1, 1}}),
               Error);
  const Conv3d layer(test::random_pq_weight({6, 2, 3, 3, 3}, 4, 5));
  EXPECT_THROW(layer.output_shape({1, 3, 9, 9, 9}), Error) << "channels";
  EXPECT_THROW(layer.output_shape({1, 2, 2, 9, 9}), Error) << "kernel deeper than the volume";
  std::vector<float> x(10), y(10);
  EXPECT_THROW(layer.forward(x, {1, 2, 5, 5, 5}, y), Error);
}

}  // namespace
}  // namespace pqw
