#include "pqw/serve/linear.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "tests/random_pq_weight.h"

namespace pqw {
namespace {

TEST(Linear, AddsTheBiasToTheProduct) {
  const PqWeight weight = test::random_pq_weight({5, 12}, 4, 7);
  const std::vector<float> bias{1, -2, 3, -4, 5};
  const Linear layer(weight, bias);
  const auto x = test::normal_values(3 * 12, 8);
  std::vector<float> y(3 * 5);
  layer.forward({x.data(), 3, 12}, {y.data(), 3, 5});
  for (std::size_t b = 0; b < 3; ++b) {
    for (std::size_t r = 0; r < 5; ++r) {
      double expected = bias[r];
      for (std::size_t c = 0; c < 12; ++c) {
        expected += x[b * 12 + c] * test::element(weight, r, c);
      }
      EXPECT_NEAR(y[b * 5 + r], expected, 1e-5);
    }
  }
}

TEST(Linear, SizesThatDoNotFitAreRefused) {
  EXPECT_THROW(Linear(test::random_pq_weight({5, 3, 2, 2}, 4, 7)), Error);
  EXPECT_THROW(Linear(test::random_pq_weight({5, 12}, 4, 7), {1, 2}), Error);
  const Linear layer(test::random_pq_weight({5, 12}, 4, 7));
  std::vector<float> x(11), y(5);
  EXPECT_THROW(layer.forward({x.data(), 1, 11}, {y.data(), 1, 5}), Error);
}

}  // namespace
}  // namespace pqw
