#include <gtest/gtest.h>

#include "pqw/codecs/pq_encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

TEST(PqOptions, TextHoldsEveryField) {
  const PqOptions options{.block_size = 4,
                          .n_centroids = 64,
                          .n_groups = 2,
                          .iterations = 7,
                          .seed = 11,
                          .init = Init::kRandom,
                          .restarts = 2,
                          .explore = 64,
                          .reassign = Reassign::kFarthest,
                          .tolerance = 0,
                          .codebook_dtype = DType::kF32,
                          .engine = Engine::kFaiss,
                          .gain = Gain::kEnergy};
  EXPECT_EQ(
      to_string(options),
      "block_size=4,centroids=64,groups=2,iterations=7,seed=11,init=random,"
      "restarts=2,explore=64,reassign=farthest,tolerance=0,codebook=f32,engine=faiss,gain=energy");
}

TEST(PqOptions, AreSetByName) {
  PqOptions options;
  set_option(options, "block_size", "9");
  set_option(options, "centroids", "65536");
  set_option(options, "seed", "18446744073709551615");
  set_option(options, "tolerance", "1e-3");
  set_option(options, "codebook", "f32");
  set_option(options, "engine", "faiss");
  EXPECT_EQ(options.gain, Gain::kUnbiased);
  for (const auto& [text, gain] :
       {std::pair("energy", Gain::kEnergy), std::pair("least_squares", Gain::kLeastSquares),
        std::pair("unbiased", Gain::kUnbiased)}) {
    set_option(options, "gain", text);
    EXPECT_EQ(options.gain, gain);
  }
  EXPECT_EQ(options.block_size, 9u);
  EXPECT_EQ(options.n_centroids, 65536u);
  EXPECT_EQ(options.seed, ~std::uint64_t{0});
  EXPECT_EQ(options.tolerance, 1e-3);
  EXPECT_EQ(options.codebook_dtype, DType::kF32);
  EXPECT_EQ(options.engine, Engine::kFaiss);
}

class BadOption : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadOption, IsRefused) {
  PqOptions options;
  const auto [key, value] = GetParam();
  EXPECT_THROW(set_option(options, key, value), Error);
}

using Pair = std::pair<const char*, const char*>;
INSTANTIATE_TEST_SUITE_P(
    All, BadOption,
    testing::Values(Pair{"block_size", "0"}, Pair{"block_size", "-1"}, Pair{"block_size", "8x"},
                    Pair{"centroids", "1"}, Pair{"centroids", "65537"}, Pair{"centroids", ""},
                    Pair{"groups", "0"}, Pair{"iterations", "1e3"}, Pair{"tolerance", "1"},
                    Pair{"tolerance", "nan"}, Pair{"codebook", "f8"}, Pair{"init", "kmeans"},
                    Pair{"restarts", "1001"}, Pair{"explore", "-1"}, Pair{"reassign", "none"},
                    Pair{"engine", "gpu"}, Pair{"gain", "none"}, Pair{"gain", "1.1"},
                    Pair{"blocksize", "8"}));

}  // namespace
}  // namespace pqw
