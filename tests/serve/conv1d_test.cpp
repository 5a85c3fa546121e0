#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "pqw/serve/convolution.h"
#include "tests/serve/convolution_testing.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

struct Case {
  Shape weight;  // [out, in/groups, k]
  SequenceShape input;
  Conv1dOptions options;
  std::size_t output;  // by hand
};

const Case kCases[] = {
    {{6, 3, 3}, {2, 3, 10}, {}, 8},
    {{6, 3, 5}, {1, 3, 10}, {.padding = 2}, 10},
    {{40, 4, 8}, {3, 4, 31}, {.stride = 4, .padding = 3}, 8},
    {{4, 2, 3}, {2, 2, 20}, {.dilation = 4}, 12},
    {{12, 2, 3}, {1, 8, 9}, {.stride = 2, .padding = 1, .groups = 4}, 5},
    {{9, 1, 31}, {2, 9, 40}, {.padding = 15, .groups = 9}, 40},
    {{5, 7, 1}, {1, 7, 1}, {}, 1},
};

TEST(Conv1d, EqualsTheDefinition) {
  for (const Case& c : kCases) {
    const auto bias = test::normal_values(c.weight[0], 6);
    const auto x = test::normal_values(c.input.size(), 5);
    for (const test::NamedWeight& named : test::weights_of_every_codec(c.weight)) {
      for (const test::NamedPrecision& precision : test::kPrecisions) {
        SCOPED_TRACE(to_string(c.weight) + " " + named.name + " " + precision.name);
        const Conv1d layer(named.weight, bias, c.options, {.precision = precision.precision});
        const SequenceShape output = layer.output_shape(c.input);
        ASSERT_EQ(output, (SequenceShape{c.input.batch, c.weight[0], c.output}));
        std::vector<float> y(output.size());
        const auto run = [&] { layer.forward(x, c.input, y); };
        EXPECT_TRUE(test::same_on_any_threads(run, y));
        const auto& [stride, padding, dilation, groups] = c.options;
        const auto expected = test::convolution(
            x, {c.input.batch, c.input.channels, 1, 1, c.input.length}, test::decoded(named.weight),
            {1, 1, c.weight[2]}, bias, {{1, 1, stride}, {0, 0, padding}, {1, 1, dilation}, groups},
            {output.batch, output.channels, 1, 1, output.length});
        EXPECT_LE(test::relative_error(y, expected), precision.bound);
        EXPECT_FALSE(layer.describe(c.input).empty());
      }
    }
  }
}

TEST(Conv1d, ShapesThatDoNotFitAreRefused) {
  EXPECT_THROW(Conv1d(test::random_pq_weight({6, 2, 3, 3}, 4, 5)), Error);
  EXPECT_THROW(Conv1d(test::random_pq_weight({6, 2, 3}, 4, 5), {1}), Error);
  EXPECT_THROW(Conv1d(test::random_pq_weight({6, 2, 3}, 4, 5), {}, {.dilation = 0}), Error);
  const Conv1d layer(test::random_pq_weight({6, 2, 3}, 4, 5));
  EXPECT_THROW(layer.output_shape({1, 3, 9}), Error) << "channels";
  EXPECT_THROW(layer.output_shape({1, 2, 2}), Error) << "kernel longer than the sequence";
  std::vector<float> x(10), y(10);
  EXPECT_THROW(layer.forward(x, {1, 2, 5}, y), Error);
}

}  // namespace
}  // namespace pqw
