#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "pqw/serve/convolution.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

struct Case {
  Shape weight;  // [out, in, kh, kw]
  ImageShape input;
  ConvTranspose2dOptions options;
  Size2d output;  // by hand
};

const Case kCases[] = {
    {{5, 3, 3, 2}, {2, 3, 4, 5}, {}, {6, 6}},
    {{4, 6, 2, 2}, {1, 6, 3, 5}, {.stride = {2, 2}}, {6, 10}},
    {{6, 3, 4, 3},
     {1, 3, 5, 4},
     {.stride = {2, 3}, .padding = {1, 2}, .output_padding = {1, 2}},
     {11, 10}},
    {{3, 2, 3, 2}, {2, 2, 4, 6}, {.padding = {2, 0}, .dilation = {3, 2}}, {6, 8}},
    {{40, 2, 2, 3},
     {1, 2, 6, 5},
     {.stride = {3, 2}, .padding = {0, 1}, .output_padding = {1, 0}, .dilation = {2, 3}},
     {19, 13}},
    {{2, 3, 1, 1}, {1, 3, 2, 2}, {.stride = {3, 2}}, {4, 3}},  // pixels that see nothing
    {{2, 1, 3, 3}, {0, 1, 4, 4}, {}, {6, 6}},                  // no image
};

// The definition: each pixel of the input adds the kernel, times its value, to the output.
std::vector<double> scattered(std::span<const float> x, const ImageShape& input,
                              std::span<const float> weight, Size2d kernel,
                              std::span<const float> bias, const ConvTranspose2dOptions& options,
                              const ImageShape& output) {
  const std::size_t n_pixels = output.height * output.width;
  std::vector<double> y(output.size());
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = bias[i / n_pixels % output.channels];
  for (std::size_t i = 0; i < input.size(); ++i) {
    const std::size_t ix = i % input.width, iy = i / input.width % input.height;
    const std::size_t channel = i / (input.width * input.height);
    const std::size_t c = channel % input.channels, n = channel / input.channels;
    for (std::size_t o = 0; o < output.channels; ++o) {
      for (std::size_t ky = 0; ky < kernel[0]; ++ky) {
        for (std::size_t kx = 0; kx < kernel[1]; ++kx) {
          const std::size_t oy = iy * options.stride[0] + ky * options.dilation[0];
          const std::size_t ox = ix * options.stride[1] + kx * options.dilation[1];
          if (oy < options.padding[0] || oy >= options.padding[0] + output.height) continue;
          if (ox < options.padding[1] || ox >= options.padding[1] + output.width) continue;
          const std::size_t row = (n * output.channels + o) * output.height + oy;
          const std::size_t tap = ((o * input.channels + c) * kernel[0] + ky) * kernel[1] + kx;
          y[(row - options.padding[0]) * output.width + ox - options.padding[1]] +=
              double{weight[tap]} * x[i];
        }
      }
    }
  }
  return y;
}

TEST(ConvTranspose2d, EqualsTheDefinition) {
  for (const Case& c : kCases) {
    const auto bias = test::normal_values(c.weight[0], 6);
    const auto x = test::normal_values(c.input.size(), 5);
    for (const test::NamedWeight& named : test::weights_of_every_codec(c.weight)) {
      for (const test::NamedPrecision& precision : test::kPrecisions) {
        SCOPED_TRACE(to_string(c.weight) + " " + named.name + " " + precision.name);
        const ConvTranspose2d layer(named.weight, bias, c.options,
                                    {.precision = precision.precision});
        const ImageShape output = layer.output_shape(c.input);
        ASSERT_EQ(output, (ImageShape{c.input.batch, c.weight[0], c.output[0], c.output[1]}));
        std::vector<float> y(output.size(), 1e9f);
        const auto run = [&] { layer.forward(x, c.input, y); };
        EXPECT_TRUE(test::same_on_any_threads(run, y));
        const auto expected = scattered(x, c.input, test::decoded(named.weight),
                                        {c.weight[2], c.weight[3]}, bias, c.options, output);
        EXPECT_LE(test::relative_error(y, expected), precision.bound);
        EXPECT_FALSE(layer.describe(c.input).empty());
      }
    }
  }
}

TEST(ConvTranspose1d, UpsamplesByHand) {
  // Two inputs, one output. Stride 2, kernel 3: y[2 i + t] = sum of w[c][t] * x[c][i].
  const ConvTranspose1d layer(test::plain_weight({1, 2, 3}, {1, 2, 3, 10, 20, 30}), {100},
                              {.stride = 2, .padding = 1, .output_padding = 1},
                              {.precision = Precision::kExact});
  ASSERT_EQ(layer.output_shape({1, 2, 2}), (SequenceShape{1, 1, 4}));
  const std::vector<float> x = {1, 2, 3, 4};
  std::vector<float> y(4);
  layer.forward(x, {1, 2, 2}, y);
  // Full: t0 31, t1 62, t2 93 + 42, t3 84, t4 126, and one pixel of output padding.
  EXPECT_EQ(y, (std::vector<float>{162, 235, 184, 226}));
}

TEST(ConvTranspose2d, WhatDoesNotFitIsRefused) {
  const auto weight = [] { return test::random_pq_weight({6, 2, 3, 3}, 4, 5); };
  const auto refused = [&](const ConvTranspose2dOptions& options, const std::string& why) {
    try {
      ConvTranspose2d(weight(), {}, options);
      ADD_FAILURE() << why;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
  };
  refused({.groups = 2}, "2 groups, but transposed convolutions are served with 1 only");
  refused({.stride = {1, 0}}, "must be positive");
  refused({.stride = {2, 2}, .output_padding = {0, 2}}, "output_padding is 2, expected less");
  EXPECT_THROW(ConvTranspose2d(test::random_pq_weight({6, 2, 3}, 4, 5)), Error) << "rank";
  EXPECT_THROW(ConvTranspose2d(weight(), {1, 2}), Error) << "bias";
  const ConvTranspose2d layer(weight(), {}, {.padding = {2, 2}});
  EXPECT_THROW(layer.output_shape({1, 3, 9, 9}), Error) << "channels";
  EXPECT_THROW(layer.output_shape({1, 2, 2, 9}), Error) << "padding leaves nothing";
  EXPECT_THROW(layer.output_shape({1, 2, 0, 9}), Error) << "no pixels";
  std::vector<float> x(10), y(10);
  EXPECT_THROW(layer.forward(x, {1, 2, 5, 5}, y), Error);
}

}  // namespace
}  // namespace pqw
