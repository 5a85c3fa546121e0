#include "pqw/serve/linear.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

TEST(Linear, AddsTheBiasToTheProduct) {
  const std::size_t in = 12, out = 5, batch = 3;
  const std::vector<float> bias{1, -2, 3, -4, 5};
  const auto x = test::normal_values(batch * in, 8);
  for (const test::NamedWeight& named : test::weights_of_every_codec({out, in})) {
    const std::vector<float> w = test::decoded(named.weight);
    for (const bool with_bias : {false, true}) {
      const Linear layer(named.weight, with_bias ? bias : std::vector<float>(),
                         {.precision = Precision::kExact});
      std::vector<float> y(batch * out);
      layer.forward({x.data(), batch, in}, {y.data(), batch, out});
      for (std::size_t i = 0; i < y.size(); ++i) {
        double expected = with_bias ? bias[i % out] : 0;
        for (std::size_t c = 0; c < in; ++c) {
          expected += static_cast<double>(x[i / out * in + c]) * w[i % out * in + c];
        }
        EXPECT_NEAR(y[i], expected, 1e-5) << named.name;
      }
    }
  }
}

TEST(Linear, SizesThatDoNotFitAreRefused) {
  EXPECT_THROW(Linear(test::random_pq_weight({5, 3, 2, 2}, 4, 7)), Error);
  EXPECT_THROW(Linear(test::random_pq_weight({5, 12}, 4, 7), {1, 2}), Error);
  const Linear layer(test::random_pq_weight({5, 12}, 4, 7));
  const std::vector<float> x(2 * 13);
  std::vector<float> y(2 * 6);
  EXPECT_THROW(layer.forward({x.data(), 1, 11}, {y.data(), 1, 5}), Error);
  EXPECT_THROW(layer.forward({x.data(), 1, 13}, {y.data(), 1, 5}), Error);
  EXPECT_THROW(layer.forward({x.data(), 1, 12}, {y.data(), 1, 4}), Error);
  EXPECT_THROW(layer.forward({x.data(), 1, 12}, {y.data(), 1, 6}), Error);
  EXPECT_THROW(layer.forward({x.data(), 2, 12}, {y.data(), 1, 5}), Error);
}

}  // namespace
}  // namespace pqw
