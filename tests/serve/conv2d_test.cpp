#include "pqw/serve/conv2d.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "tests/random_pq_weight.h"

namespace pqw {
namespace {

struct Case {
  Shape weight;  // [out, in/groups, kh, kw]
  ImageShape input;
  Conv2dOptions options;
  Size2d output;  // by hand
};

class Conv2dTest : public testing::TestWithParam<Case> {};

// The definition: a sum over the kernel of the padded image, in double.
double reference(const Case& c, const PqWeight& weight, std::span<const float> x, std::size_t n,
                 std::size_t o, std::size_t oy, std::size_t ox) {
  const auto [h, w] = std::array{c.input.height, c.input.width};
  const std::size_t in_per_group = c.weight[1];
  const std::size_t group = o / (c.weight[0] / c.options.groups);
  double sum = 0;
  for (std::size_t i = 0; i < in_per_group; ++i) {
    for (std::size_t ky = 0; ky < c.weight[2]; ++ky) {
      for (std::size_t kx = 0; kx < c.weight[3]; ++kx) {
        const auto y =
            static_cast<std::ptrdiff_t>(oy * c.options.stride[0] + ky * c.options.dilation[0]) -
            static_cast<std::ptrdiff_t>(c.options.padding[0]);
        const auto px =
            static_cast<std::ptrdiff_t>(ox * c.options.stride[1] + kx * c.options.dilation[1]) -
            static_cast<std::ptrdiff_t>(c.options.padding[1]);
        if (y < 0 || px < 0 || y >= static_cast<std::ptrdiff_t>(h) ||
            px >= static_cast<std::ptrdiff_t>(w)) {
          continue;
        }
        const std::size_t channel = group * in_per_group + i;
        const std::size_t pixel =
            ((n * c.input.channels + channel) * h + static_cast<std::size_t>(y)) * w +
            static_cast<std::size_t>(px);
        const std::size_t column = (i * c.weight[2] + ky) * c.weight[3] + kx;
        sum += x[pixel] * test::element(weight, o, column);
      }
    }
  }
  return sum;
}

TEST_P(Conv2dTest, EqualsTheDefinition) {
  const Case& c = GetParam();
  const PqWeight weight = test::random_pq_weight(c.weight, 4, 9);
  const auto bias = test::normal_values(c.weight[0], 6);
  const Conv2d layer(weight, bias, c.options);
  const ImageShape output = layer.output_shape(c.input);
  ASSERT_EQ(output, (ImageShape{c.input.batch, c.weight[0], c.output[0], c.output[1]}));
  const auto x = test::normal_values(c.input.size(), 5);
  std::vector<float> y(output.size());
  layer.forward(x, c.input, y);
  std::size_t at = 0;
  for (std::size_t n = 0; n < output.batch; ++n) {
    for (std::size_t o = 0; o < output.channels; ++o) {
      for (std::size_t oy = 0; oy < output.height; ++oy) {
        for (std::size_t ox = 0; ox < output.width; ++ox) {
          EXPECT_NEAR(y[at++], bias[o] + reference(c, weight, x, n, o, oy, ox), 1e-4);
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Geometries, Conv2dTest,
    testing::Values(Case{{6, 3, 3, 3}, {2, 3, 8, 7}, {}, {6, 5}},
                    Case{{6, 3, 3, 3}, {1, 3, 8, 7}, {.padding = {1, 1}}, {8, 7}},
                    Case{{4, 2, 1, 3}, {1, 2, 5, 9}, {.stride = {2, 3}, .padding = {0, 1}}, {3, 3}},
                    Case{{4, 2, 3, 2}, {1, 2, 9, 9}, {.dilation = {2, 3}}, {5, 6}},
                    Case{{6, 2, 3, 3}, {1, 4, 6, 6}, {.padding = {1, 1}, .groups = 2}, {6, 6}},
                    Case{{8, 1, 3, 3}, {1, 8, 5, 5}, {.padding = {1, 1}, .groups = 8}, {5, 5}},
                    Case{{5, 7, 1, 1}, {1, 7, 20, 20}, {}, {20, 20}},
                    Case{{2, 1, 3, 3}, {0, 1, 4, 4}, {}, {2, 2}}));

TEST(Conv2d, ShapesThatDoNotFitAreRefused) {
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 12}, 4, 5)), Error);
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 2, 3, 3}, 4, 5), {}, {.groups = 4}), Error);
  EXPECT_THROW(Conv2d(test::random_pq_weight({6, 2, 3, 3}, 4, 5), {}, {.stride = {0, 1}}), Error);
  const Conv2d layer(test::random_pq_weight({6, 2, 3, 3}, 4, 5));
  EXPECT_THROW(layer.output_shape({1, 3, 9, 9}), Error) << "channels";
  EXPECT_THROW(layer.output_shape({1, 2, 2, 9}), Error) << "kernel larger than the image";
  std::vector<float> x(10), y(10);
  EXPECT_THROW(layer.forward(x, {1, 2, 5, 5}, y), Error);
}

}  // namespace
}  // namespace pqw
