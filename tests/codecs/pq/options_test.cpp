#include <gtest/gtest.h>

#include "pqw/codecs/encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

TEST(PqOptions, OutOfRangeAreRefusedWhenEncoding) {
  const std::vector<float> values(8);
  const ConstMatrix w(values.data(), 2, 4);
  EXPECT_THROW(pq_from_float(w, {.n_centroids = 1}), Error);
  EXPECT_THROW(pq_from_float(w, {.tolerance = 1}), Error);
  EXPECT_THROW(pq_from_float(w, {.codebook_dtype = DType::kBF16}), Error);
}

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

PqOptions options_of(const Settings& settings) {
  return std::get<PqOptions>(options_from(settings, "pq"));
}

TEST(PqOptions, AreSetByName) {
  const PqOptions options = options_of({{"block_size", "9"},
                                        {"centroids", "65536"},
                                        {"seed", "18446744073709551615"},
                                        {"tolerance", "1e-3"},
                                        {"codebook", "f32"},
                                        {"restarts", "2"}});
  EXPECT_EQ(options.gain, Gain::kUnbiased);
  EXPECT_EQ(options.block_size, 9u);
  EXPECT_EQ(options.n_centroids, 65536u);
  EXPECT_EQ(options.seed, ~std::uint64_t{0});
  EXPECT_EQ(options.tolerance, 1e-3);
  EXPECT_EQ(options.codebook_dtype, DType::kF32);
  EXPECT_EQ(options_of({{"block_size", "auto"}}).block_size, kAutoBlockSize);
  EXPECT_EQ(options_of({{"groups", "auto"}}).n_groups, kAutoGroups);
  EXPECT_EQ(options_of({{"engine", "faiss"}}).engine, Engine::kFaiss);
  for (const auto& [text, gain] :
       {std::pair("energy", Gain::kEnergy), std::pair("least_squares", Gain::kLeastSquares),
        std::pair("unbiased", Gain::kUnbiased)}) {
    EXPECT_EQ(options_of({{"gain", text}}).gain, gain);
  }
}

TEST(PqOptions, AreEqualIfAllFieldsAre) {
  EXPECT_EQ(options_of({{"seed", "3"}}), PqOptions{.seed = 3});
  EXPECT_NE(options_of({{"seed", "3"}}), PqOptions{});
}

PqOptions resolved_for(const Settings& settings, const Shape& shape) {
  PqOptions options = options_of(settings);
  PqCodec::resolve(options, shape);
  return options;
}

TEST(PqOptions, EffortFillsInOnlyWhatIsNotGiven) {
  const Shape shape = {64, 64};
  EXPECT_EQ(to_string(resolved_for({}, shape)),
            "block_size=4,centroids=256,groups=1,iterations=60,seed=0,init=++,restarts=1,"
            "explore=512,reassign=split,tolerance=0.0004,codebook=f16,engine=native,gain=unbiased");
  const PqOptions fast = resolved_for({{"iterations", "7"}, {"effort", "fast"}}, shape);
  EXPECT_EQ(fast.iterations, 7u);
  EXPECT_EQ(fast.tolerance, 1e-3);
  const PqOptions given = resolved_for({{"restarts", "2"}, {"tolerance", "0"}}, shape);
  EXPECT_EQ(given.restarts, 2u);
  EXPECT_EQ(given.tolerance, 0);
  EXPECT_EQ(to_string(options_of({{"effort", "max"}})),
            "block_size=4,centroids=256,groups=1,effort=max,iterations=auto,seed=0,init=++,"
            "restarts=0,explore=512,reassign=split,tolerance=auto,codebook=f16,engine=native,"
            "gain=unbiased");
}

// An E-step takes weights * centroids multiplications: 2^23 at most, 2^26 at most, more.
TEST(PqOptions, MaxEffortTriesSmallTensorsMoreOften) {
  const Settings max = {{"effort", "max"}};
  EXPECT_EQ(resolved_for(max, {128, 256}).restarts, 10u);
  EXPECT_EQ(resolved_for(max, {129, 256}).restarts, 3u);
  EXPECT_EQ(resolved_for(max, {1024, 256}).restarts, 3u);
  EXPECT_EQ(resolved_for(max, {1025, 256}).restarts, 1u);
  EXPECT_EQ(resolved_for({{"effort", "max"}, {"groups", "2"}}, {256, 256}).restarts, 10u);
  EXPECT_EQ(resolved_for({}, {128, 256}).restarts, 1u);
}

class BadOption : public testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(BadOption, IsRefused) {
  const auto [key, value] = GetParam();
  EXPECT_THROW(options_of({{key, value}}), Error);
}

using Pair = std::pair<const char*, const char*>;
INSTANTIATE_TEST_SUITE_P(
    All, BadOption,
    testing::Values(Pair{"block_size", "0"}, Pair{"block_size", "-1"}, Pair{"block_size", "8x"},
                    Pair{"centroids", "1"}, Pair{"centroids", "65537"}, Pair{"centroids", ""},
                    Pair{"groups", "0"}, Pair{"iterations", "1e3"}, Pair{"tolerance", "1"},
                    Pair{"tolerance", "nan"}, Pair{"codebook", "f8"}, Pair{"init", "kmeans"},
                    Pair{"effort", "min"}, Pair{"tolerance", "-1"}, Pair{"restarts", "1001"},
                    Pair{"explore", "-1"}, Pair{"reassign", "none"}, Pair{"engine", "gpu"},
                    Pair{"gain", "full"}, Pair{"gain", "1.1"}, Pair{"blocksize", "8"}));

}  // namespace
}  // namespace pqw
