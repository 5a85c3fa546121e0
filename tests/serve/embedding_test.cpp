#include "pqw/serve/embedding.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "pqw/codecs/plain.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/weights_of_every_codec.h"

namespace pqw {
namespace {

TEST(Embedding, GathersRowsToTheBit) {
  for (const std::size_t dim : {1, 7, 24}) {
    for (const test::NamedWeight& named : test::weights_of_every_codec({10, dim})) {
      const std::vector<float> table = test::decoded(named.weight);
      const Embedding layer(named.weight);
      const std::vector<std::int64_t> indices{9, 0, 9, 4};
      std::vector<float> out(indices.size() * dim);
      layer.forward(indices, {out.data(), indices.size(), dim});
      for (std::size_t i = 0; i < out.size(); ++i) {
        const auto row = static_cast<std::size_t>(indices[i / dim]);
        EXPECT_EQ(out[i], table[row * dim + i % dim]) << named.name;
      }
    }
  }
}

TEST(Embedding, RowsAreTheCentroidsOfTheirCodes) {
  for (const std::size_t n_centroids : {6, 300}) {
    const PqWeight weight = test::random_pq_weight({50, 23}, 4, n_centroids, 3);
    const Embedding layer(weight);
    std::vector<float> out(23);
    for (std::size_t row = 0; row < 50; ++row) {
      layer.forward(std::vector{static_cast<std::int64_t>(row)}, {out.data(), 1, 23});
      for (std::size_t c = 0; c < 23; ++c) EXPECT_EQ(out[c], test::element(weight, row, c));
    }
  }
}

TEST(Embedding, ManyIndicesOnThreads) {
  const std::size_t dim = 40, n = 5000;
  const PqWeight weight = test::random_pq_weight({100, dim}, 8, 256);
  const Embedding layer(weight);
  std::vector<std::int64_t> indices(n);
  for (std::size_t i = 0; i < n; ++i) indices[i] = static_cast<std::int64_t>(i * 37 % 100);
  std::vector<float> out(n * dim);
  layer.forward(indices, {out.data(), n, dim});
  const std::vector<float> table = test::decoded(weight);
  bool equal = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    equal &= out[i] == table[i / dim * 37 % 100 * dim + i % dim];
  }
  EXPECT_TRUE(equal);
}

TEST(Embedding, WhatDoesNotFitIsRefusedBeforeAnythingIsWritten) {
  const Embedding layer(test::random_pq_weight({10, 7}, 4, 6));
  for (const std::int64_t index : {std::int64_t{-1}, std::int64_t{10}}) {
    std::vector<float> out(14, 5.0f);
    EXPECT_THROW(layer.forward(std::vector{std::int64_t{3}, index}, {out.data(), 2, 7}), Error);
    EXPECT_EQ(out, std::vector<float>(14, 5.0f));
  }
  std::vector<float> out(7);
  EXPECT_THROW(layer.forward(std::vector{std::int64_t{3}}, {out.data(), 1, 6}), Error);
  EXPECT_THROW(Embedding(test::random_pq_weight({10, 7, 2}, 4, 6)), Error);
  EXPECT_THROW(Embedding(PlainWeight{{{1, 2}, DType::kI32}, std::vector<std::byte>(8)}), Error);
}

// Rows of the table: {1, 2}, {3, 5}, {-4, 8}.
TEST(Embedding, BagsAreSumsAndMeansOfTheirVectors) {
  PlainWeight table{{{3, 2}, DType::kF32}, std::vector<std::byte>(6 * sizeof(float))};
  const std::vector<float> values = {1, 2, 3, 5, -4, 8};
  from_float(values, table.dtype, table.bytes);
  const Embedding embedding{Weight(table)};
  const std::vector<std::int64_t> indices = {2, 0, 1, 1}, offsets = {0, 1, 1, 2};
  std::vector<float> out(8, 9.0f);
  embedding.forward_bags(indices, offsets, BagMode::kSum, {out.data(), 4, 2});
  EXPECT_EQ(out, std::vector<float>({-4, 8, 0, 0, 1, 2, 6, 10}));
  embedding.forward_bags(indices, offsets, BagMode::kMean, {out.data(), 4, 2});
  EXPECT_EQ(out, std::vector<float>({-4, 8, 0, 0, 1, 2, 3, 5}));
}

TEST(Embedding, BagsThatDoNotFitAreRefused) {
  const Embedding embedding{Weight(test::random_pq_weight({3, 4}, 2, 4))};
  const std::vector<std::int64_t> indices = {0, 2, 1};
  std::vector<float> out(8, 9.0f);
  const auto message = [&](const std::vector<std::int64_t>& offsets) -> std::string {
    try {
      embedding.forward_bags(indices, offsets, BagMode::kSum, {out.data(), 2, 4});
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({0, 3}), "");
  EXPECT_EQ(message({1, 2}), "Embedding: offset 1 of bag 0, expected 0 to 0");
  EXPECT_EQ(message({0, 4}), "Embedding: offset 4 of bag 1, expected 0 to 3");
  EXPECT_EQ(message({0, -1}), "Embedding: offset -1 of bag 1, expected 0 to 3");
  EXPECT_EQ(message({0, 1, 2}), "Embedding of dimension 4: 3 bags, out is [2, 4]");
  std::ranges::fill(out, 9.0f);
  const std::vector<std::int64_t> bad = {0, 3, 1}, two = {0, 1};
  EXPECT_THROW(embedding.forward_bags(bad, two, BagMode::kMean, {out.data(), 2, 4}), Error);
  EXPECT_EQ(out, std::vector<float>(8, 9.0f));
}

}  // namespace
}  // namespace pqw
