#include "pqw/serve/embedding.h"

#include <gtest/gtest.h>

#include "pqw/core/error.h"
#include "tests/random_pq_weight.h"

namespace pqw {
namespace {

TEST(Embedding, GathersRows) {
  const PqWeight weight = test::random_pq_weight({10, 7}, 4, 6);
  const Embedding layer(weight);
  const std::vector<std::int64_t> indices{9, 0, 9};
  std::vector<float> out(3 * 7);
  layer.forward(indices, {out.data(), 3, 7});
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t c = 0; c < 7; ++c) {
      EXPECT_EQ(out[i * 7 + c], test::element(weight, static_cast<std::size_t>(indices[i]), c));
    }
  }
}

TEST(Embedding, IndicesOutOfRangeAreRefused) {
  const Embedding layer(test::random_pq_weight({10, 7}, 4, 6));
  std::vector<float> out(7);
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{10}}) {
    EXPECT_THROW(layer.forward(std::vector{index}, {out.data(), 1, 7}), Error);
  }
}

}  // namespace
}  // namespace pqw
