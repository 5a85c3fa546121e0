#include <gtest/gtest.h>

#include <limits>

#include "pqw/core/error.h"
#include "pqw/serve/convolution.h"
#include "tests/serve/convolution_testing.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

struct Case {
  Shape weight;  // [out, in/groups, kh, kw]
  ImageShape input;
  Conv2dOptions options;
  Size2d output;  // by hand
};

const Case kCases[] = {
    {{6, 3, 3, 3}, {2, 3, 8, 7}, {}, {6, 5}},
    {{6, 3, 3, 3}, {1, 3, 8, 7}, {.padding = {1, 1}}, {8, 7}},
    {{4, 2, 1, 3}, {1, 2, 5, 9}, {.stride = {2, 3}, .padding = {0, 1}}, {3, 3}},
    {{4, 2, 3, 2}, {1, 2, 9, 9}, {.dilation = {2, 3}}, {5, 6}},
    {{6, 2, 3, 3}, {1, 4, 6, 6}, {.padding = {1, 1}, .groups = 2}, {6, 6}},
    {{70, 3, 3, 3}, {2, 6, 7, 5}, {.stride = {2, 1}, .padding = {1, 2}, .groups = 2}, {4, 7}},
    {{8, 1, 3, 3}, {3, 8, 5, 5}, {.padding = {1, 1}, .groups = 8}, {5, 5}},
    {{8, 1, 3, 5}, {1, 4, 9, 8}, {.stride = {2, 3}, .padding = {3, 4}, .groups = 4}, {7, 4}},
    {{4, 1, 2, 3},
     {1, 4, 6, 9},
     {.stride = {3, 2}, .padding = {1, 5}, .dilation = {4, 3}, .groups = 4},
     {2, 7}},
    {{2, 1, 1, 1}, {1, 2, 1, 1}, {.padding = {2, 1}, .groups = 2}, {5, 3}},  // padding alone
    {{5, 7, 1, 1}, {1, 7, 20, 20}, {}, {20, 20}},                            // two runs of patches
    {{40, 2, 3, 3}, {5, 2, 12, 11}, {.padding = {1, 1}}, {12, 11}},          // across images
    {{2, 1, 3, 3}, {0, 1, 4, 4}, {}, {2, 2}},                                // no image
};

void expect_definition(const Case& c, const Weight& weight, const ServeOptions& serve,
                       double bound) {
  const auto bias = test::normal_values(c.weight[0], 6);
  const Conv2d layer(weight, bias, c.options, serve);
  const ImageShape output = layer.output_shape(c.input);
  ASSERT_EQ(output, (ImageShape{c.input.batch, c.weight[0], c.output[0], c.output[1]}));
  const auto x = test::normal_values(c.input.size(), 5);
  std::vector<float> y(output.size(), 1e9f);
  const auto run = [&] { layer.forward(x, c.input, y); };
  EXPECT_TRUE(test::same_on_any_threads(run, y));
  const auto& [stride, padding, dilation, groups] = c.options;
  const auto expected =
      test::convolution(x, {c.input.batch, c.input.channels, 1, c.input.height, c.input.width},
                        test::decoded(weight), {1, c.weight[2], c.weight[3]}, bias,
                        {{1, stride[0], stride[1]},
                         {0, padding[0], padding[1]},
                         {1, dilation[0], dilation[1]},
                         groups},
                        {output.batch, output.channels, 1, output.height, output.width});
  EXPECT_LE(test::relative_error(y, expected), bound);
  EXPECT_FALSE(layer.describe(c.input).empty());
}

TEST(Conv2d, EqualsTheDefinition) {
  for (const Case& c : kCases) {
    for (const test::NamedWeight& named : test::weights_of_every_codec(c.weight)) {
      for (const test::NamedPrecision& precision : test::kPrecisions) {
        SCOPED_TRACE(to_string(c.weight) + " " + named.name + " " + precision.name);
        expect_definition(c, named.weight, {.precision = precision.precision}, precision.bound);
      }
    }
  }
}

TEST(Conv2d, DepthwiseIsDirectUnlessAMethodIsAskedFor) {
  const PqWeight weight = test::random_pq_weight({8, 1, 3, 3}, 9, 16);
  const Conv2dOptions options{.padding = {1, 1}, .groups = 8};
  const ImageShape images{2, 8, 6, 6};
  const Conv2d direct(weight, {}, options);
  EXPECT_EQ(direct.describe(images), "direct convolution, decoded weights");
  const ServeOptions lookup{.precision = Precision::kExact, .method = ServeMethod::kLookup};
  EXPECT_NE(Conv2d(weight, {}, options, lookup).describe(images), direct.describe(images));
  expect_definition({weight.shape, images, options, {6, 6}}, weight, lookup, 2e-6);
}

TEST(Conv2d, SumsThatLeaveTheRangeOfFloatOnTheWayAreFinite) {
  // Two channels of their own, kernels of three weights; the bias brings the second sum back.
  const PlainWeight weight =
      test::plain_weight({2, 1, 1, 3}, {3e38f, 3e38f, -3e38f, 3e38f, 3e38f, 0});
  const std::vector<float> x(6, 1.0f);
  std::vector<float> y(2);
  Conv2d(weight, {0, -3e38f}, {.groups = 2}).forward(x, {1, 2, 1, 3}, y);
  EXPECT_NEAR(y[0] / 3e38f, 1, 1e-6);
  EXPECT_NEAR(y[1] / 3e38f, 1, 1e-6);
}

TEST(Conv2d, WorksOnThreads) {  // enough work for all of its loops to share
  const Case c{{64, 16, 3, 3}, {2, 16, 20, 20}, {.padding = {1, 1}}, {20, 20}};
  expect_definition(c, test::random_pq_weight(c.weight, 9, 256), {}, 1e-4);
  const Case depthwise{{64, 1, 3, 3}, {2, 64, 20, 20}, {.padding = {1, 1}, .groups = 64}, {20, 20}};
  expect_definition(depthwise, test::random_pq_weight(depthwise.weight, 9, 256), {}, 2e-6);
}

TEST(Conv2d, ShapesThatDoNotFitAreRefused) {
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 12}, 4, 5)), Error);
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 2, 3, 3}, 4, 5), {1, 2}), Error) << "bias";
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 2, 3, 3}, 4, 5), {}, {.groups = 4}), Error);
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 2, 3, 3}, 4, 5), {}, {.stride = {0, 1}}), Error);
  const Conv2d layer(test::random_pq_weight({6, 2, 3, 3}, 4, 5));
  EXPECT_THROW(layer.output_shape({1, 3, 9, 9}), Error) << "channels";
  EXPECT_THROW(layer.output_shape({1, 2, 2, 9}), Error) << "kernel larger than the image";
  std::vector<float> x(10), y(10);
  EXPECT_THROW(layer.forward(x, {1, 2, 5, 5}, y), Error);
}

// Their products would wrap round to sizes that fit.
TEST(Conv2d, SizesThatOverflowAreRefused) {
  constexpr auto kHuge = std::numeric_limits<std::size_t>::max();
  const PqWeight weight = test::random_pq_weight({6, 2, 3, 3}, 4, 5);
  EXPECT_THROW(Conv2d(weight, {}, {.padding = {1, kHuge}}), Error);
  EXPECT_THROW(Conv2d(weight, {}, {.dilation = {kHuge / 2 + 1, 1}}), Error);
  EXPECT_THROW(Conv2d(weight, {}, {.stride = {kHuge, 1}}), Error);
  const Conv2d layer(weight);
  EXPECT_THROW(layer.output_shape({1, 2, kHuge, 9}), Error);
  EXPECT_THROW(layer.forward({}, {kHuge / 2 + 1, 2, 4, 4}, {}), Error);
}

}  // namespace
}  // namespace pqw
