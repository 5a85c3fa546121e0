// Row scales: their types, how they are chosen, and what encoding makes of them.
#include "codecs/pq/value/row_scales.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>

#include "codecs/pq/train/scale_rows.h"
#include "pqw/codecs/encode.h"
#include "pqw/core/distortion.h"
#include "pqw/core/error.h"
#include "tests/support/random_matrix.h"

namespace pqw {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

constexpr RowScales kTypes[] = {RowScales::kLog8, RowScales::kF16};

std::vector<float> decoded(const PqWeight& weight) {
  std::vector<float> v(weight.rows() * weight.cols());
  PqCodec::decode_rows(weight, 0, {v.data(), weight.rows(), weight.cols()});
  return v;
}

Distortion distortion_of(std::span<const float> w, std::span<const float> v) {
  Distortion distortion;
  distortion.add(w, v);
  return distortion;
}

// Normal values in rows of magnitudes from 1 down to about 1/1000, and a row of zeros.
std::vector<float> uneven_rows(std::size_t rows, std::size_t cols) {
  std::vector<float> w = test::normal_values(rows * cols, 11);
  for (std::size_t i = 0; i < w.size(); ++i) {
    w[i] *= static_cast<float>(std::exp2(-0.37 * static_cast<double>(i / cols % 28)));
  }
  std::fill_n(w.begin(), cols, 0.0f);
  return w;
}

TEST(RowScaleTypes, CodesOfLog8AreSixteenthsOfAPowerOfTwo) {
  std::vector<std::byte> codes(256);
  for (std::size_t c = 0; c < 256; ++c) codes[c] = static_cast<std::byte>(c);
  const std::vector<float> scales = row_scales_of_bytes(codes, RowScales::kLog8);
  EXPECT_EQ(scales[0], 0);
  EXPECT_EQ(scales[223], 0.5f);
  EXPECT_EQ(scales[239], 1);
  EXPECT_EQ(scales[247], std::sqrt(2.0f));
  EXPECT_EQ(scales[255], 2);
  for (std::size_t c = 1; c < 256; ++c) {
    EXPECT_EQ(scales[c], static_cast<float>(std::exp2((static_cast<double>(c) - 239) / 16))) << c;
  }
  EXPECT_EQ(bytes_of_row_scales(scales, RowScales::kLog8), codes);
}

TEST(RowScaleTypes, TheNearestScaleOfLog8IsNearestByRatio) {
  const auto nearest = [](double scale) { return nearest_row_scale(scale, RowScales::kLog8); };
  const auto step = static_cast<float>(std::exp2(1.0 / 16));
  EXPECT_EQ(nearest(1), 1);
  EXPECT_EQ(nearest(1.0218), 1) << "2^(1/32) is 1.0219";
  EXPECT_EQ(nearest(1.0220), step);
  EXPECT_EQ(nearest(3), 2);
  EXPECT_EQ(nearest(0), 0);
  EXPECT_EQ(nearest(std::exp2(-14.90)), static_cast<float>(std::exp2(-14.875)));
  EXPECT_EQ(nearest(std::exp2(-14.91)), 0);
}

TEST(RowScaleTypes, Float16IsRounded) {
  EXPECT_EQ(nearest_row_scale(1.0 / 3, RowScales::kF16), 1365.0f / 4096);
  EXPECT_EQ(nearest_row_scale(0x1p-26, RowScales::kF16), 0);
  const std::vector<float> scales{0, 0x1p-24f, 0.75f, 2};
  EXPECT_EQ(row_scales_of_bytes(bytes_of_row_scales(scales, RowScales::kF16), RowScales::kF16),
            scales);
}

TEST(ScaleRows, DividesBlocksByTheSizesOfTheirRows) {
  const std::vector<float> w{3, 4, 0, 0, 0, 0, 12, -16, 0, 0x1p-30f, 0, 0};
  for (const RowScales type : kTypes) {
    Blocks blocks = cut_blocks(ConstMatrix(w.data(), 4, 3), 2);
    EXPECT_THAT(scale_rows(type, blocks), ElementsAre(0.25f, 0, 1, 0));
    EXPECT_THAT(blocks.values, ElementsAre(12, 16, 0, 0, 12, -16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0));
  }
  Blocks blocks = cut_blocks(ConstMatrix(w.data(), 4, 3), 2);
  EXPECT_TRUE(scale_rows(RowScales::kNone, blocks).empty());
  EXPECT_EQ(blocks.values[0], 3);
}

TEST(ScaleRows, ZerosHaveTheScaleZero) {
  const std::vector<float> w(6);
  Blocks blocks = cut_blocks(ConstMatrix(w.data(), 2, 3), 2);
  EXPECT_THAT(scale_rows(RowScales::kLog8, blocks), ElementsAre(0, 0));
  EXPECT_THAT(blocks.values, Each(0));
}

TEST(RowScaleWeights, AreSquaresTimesImportances) {
  PqWeight weight;
  const std::vector<float> importances{2, 3};
  EXPECT_TRUE(row_weights({}, weight).empty());
  EXPECT_EQ(row_weights({.rows = importances}, weight), importances);
  weight.row_scales = {0.5f, 2};
  EXPECT_THAT(row_weights({}, weight), ElementsAre(0.25f, 4));
  EXPECT_THAT(row_weights({.rows = importances}, weight), ElementsAre(0.5f, 12));
}

// Four rows that differ by powers of two, and a row of zeros: two blocks are enough for all.
TEST(RowScaleEncoding, RowsOfOneDirectionShareTheirCentroids) {
  std::vector<float> w;
  for (const float scale : {1.0f, 0.25f, 0.0f, 0x1p-10f, 0.5f}) {
    for (const float value : {1.0f, 2.0f, -1.0f, 3.0f}) w.push_back(scale * value);
  }
  for (const RowScales type : kTypes) {
    const PqOptions options{.block_size = 2, .n_centroids = 3, .row_scales = type};
    const PqWeight weight = pq_from_float(ConstMatrix(w.data(), 5, 4), options);
    EXPECT_THAT(weight.row_scales, ElementsAre(1, 0.25f, 0, 0x1p-10f, 0.5f));
    EXPECT_EQ(decoded(weight), w);
    EXPECT_THAT(weight.options,
                HasSubstr(type == RowScales::kLog8 ? ",row_scales=log8,gain_factor="
                                                   : ",row_scales=f16,gain_factor="));
    EXPECT_THAT(PqCodec::summary(weight),
                EndsWith(type == RowScales::kLog8 ? ",row_scales=log8" : ",row_scales=f16"));
  }
  const PqWeight without = pq_from_float(ConstMatrix(w.data(), 5, 4), {2, 3});
  EXPECT_GT(distortion_of(w, decoded(without)).relative_error(), 0.001);
}

// The reference is what importances do, which are tested by their definition.
TEST(RowScaleEncoding, MinimisesTheErrorOfTheWeights) {
  const std::size_t rows = 40, cols = 24;
  const auto w = uneven_rows(rows, cols);
  PqOptions options{.block_size = 4,
                    .n_centroids = 16,
                    .codebook_dtype = DType::kF32,
                    .gain = Gain::kLeastSquares,
                    .row_scales = RowScales::kF16};
  const PqWeight weight = pq_from_float(ConstMatrix(w.data(), rows, cols), options);
  std::vector<float> divided(w.size()), squares(rows);
  for (std::size_t i = 0; i < w.size(); ++i) {
    const float scale = weight.row_scales[i / cols];
    divided[i] = scale > 0 ? static_cast<float>(double{w[i]} * (1 / double{scale})) : 0;
    squares[i / cols] = scale * scale;
  }
  const PqImportance importance{.rows = squares};
  options.row_scales = RowScales::kNone;
  const PqWeight expected =
      pq_from_float(ConstMatrix(divided.data(), rows, cols), options, {.importance = &importance});
  EXPECT_EQ(weight.codes, expected.codes);
  EXPECT_EQ(weight.codebooks, expected.codebooks);
}

TEST(RowScaleEncoding, HelpsRowsOfManySizes) {
  const auto w = uneven_rows(140, 64);
  const auto error = [&](RowScales type) {
    PqOptions options{.n_centroids = 64, .iterations = 10, .restarts = 1};
    options.row_scales = type;
    return distortion_of(w, decoded(pq_from_float(ConstMatrix(w.data(), 140, 64), options)));
  };
  const Distortion none = error(RowScales::kNone), log8 = error(RowScales::kLog8);
  EXPECT_LT(log8.relative_error(), 0.8 * none.relative_error());
  EXPECT_NEAR(error(RowScales::kF16).relative_error(), log8.relative_error(),
              0.05 * log8.relative_error());
  EXPECT_NEAR(log8.amplitude(), 1, 0x1p-10);
}

TEST(RowScaleEncoding, KeepsTheScaleOfEachRowWithAGainPerRow) {
  const std::size_t rows = 60, cols = 96;
  const auto w = uneven_rows(rows, cols);
  for (const RowScales type : kTypes) {
    const PqWeight weight =
        pq_from_float(ConstMatrix(w.data(), rows, cols), {.n_centroids = 16,
                                                          .restarts = 1,
                                                          .codebook_dtype = DType::kF32,
                                                          .gain_per = GainPer::kRow,
                                                          .row_scales = type});
    const auto v = decoded(weight);
    // The rounding of a scale, and the factor on all codebooks that makes up for it on average.
    const double rounding = type == RowScales::kLog8 ? 2 * (std::exp2(1.0 / 32) - 1) : 0x1p-10;
    for (std::size_t r = 1; r < rows; ++r) {
      if (r % 28 == 0) continue;  // of size 1: its scale cannot grow as others do
      const auto row = [&](const std::vector<float>& m) {
        return std::span(m).subspan(r * cols, cols);
      };
      EXPECT_NEAR(distortion_of(row(w), row(v)).amplitude(), 1, rounding) << r;
    }
    EXPECT_NEAR(distortion_of(w, v).amplitude(), 1, 1e-6);
    EXPECT_THAT(std::vector(v.begin(), v.begin() + cols), Each(0));
    EXPECT_THAT(weight.options, HasSubstr("gain_per=row"));
    EXPECT_GT(weight.gain.factor, 1.1) << "of the tensor, by its rows";
    EXPECT_EQ(weight.gain.limit, GainLimit::kNone);
  }
}

// Two rows of means 2 and -3 in units of the row: the gain of both rows is 30 / 26.
TEST(RowScaleEncoding, GainPerRowByHand) {
  const std::vector<float> w{1, 3, -2, -4, 0.5f, 1.5f, -1, -2};
  const PqWeight weight =
      pq_from_float(ConstMatrix(w.data(), 2, 4), {.block_size = 1,
                                                  .n_centroids = 2,
                                                  .codebook_dtype = DType::kF32,
                                                  .gain_per = GainPer::kRow,
                                                  .row_scales = RowScales::kLog8});
  const auto grown = static_cast<float>(std::exp2(3.0 / 16));  // nearest to 30 / 26
  EXPECT_THAT(weight.row_scales, ElementsAre(grown, grown / 2));
  EXPECT_NEAR(weight.codebooks[weight.codes[0]], 2 * (30.0 / 26) / grown, 1e-6);
  EXPECT_NEAR(weight.codebooks[weight.codes[4]], -3 * (30.0 / 26) / grown, 1e-6);
  EXPECT_NEAR(weight.gain.factor, 30.0 / 26, 1e-4);
}

TEST(RowScaleEncoding, WeightsAtTheEndsOfFloatStayFinite) {
  const auto normal = uneven_rows(64, 16);
  for (const float sigma : {1e-36f, 1e-20f, 1e20f, 3e37f}) {
    std::vector<float> w = normal;
    for (float& value : w) value *= sigma;
    const PqWeight weight = pq_from_float(
        ConstMatrix(w.data(), 64, 16), {.gain_per = GainPer::kRow, .row_scales = RowScales::kLog8});
    const Distortion distortion = distortion_of(w, decoded(weight));
    EXPECT_LT(distortion.relative_error(), 0.1) << sigma;
    EXPECT_NEAR(distortion.amplitude(), 1, 1e-3) << sigma;
  }
}

TEST(RowScaleEncoding, IsTheSameOnAnyNumberOfThreads) {
  const auto w = uneven_rows(300, 52);
  const auto record = [&](int threads) {
    omp_set_num_threads(threads);
    const PqWeight weight =
        pq_from_float(ConstMatrix(w.data(), 300, 52), {.n_centroids = 16,
                                                       .n_groups = 2,
                                                       .iterations = 6,
                                                       .restarts = 2,
                                                       .explore = 32,  // a sample
                                                       .gain_per = GainPer::kRow,
                                                       .row_scales = RowScales::kLog8});
    omp_set_num_threads(omp_get_num_procs());
    return PqCodec::to_record(weight, "w");
  };
  const Record expected = record(1);
  for (const int threads : {2, 3, 5}) {
    const Record again = record(threads);
    for (const char* name : {"codebooks", "codes", "row_scales"}) {
      EXPECT_EQ(again.find(name)->bytes, expected.find(name)->bytes) << name;
    }
  }
}

TEST(RowScaleEncoding, TheFaissEngineRefuses) {
  for (const char* settings : {"engine=faiss,row_scales=log8", "row_scales=f16,engine=faiss"}) {
    try {
      (void)options_from(parse_settings(settings));
      FAIL() << "accepted";
    } catch (const Error& error) {
      EXPECT_STREQ(error.what(), "engine=faiss does not support row_scales; use engine=native");
    }
  }
}

}  // namespace
}  // namespace pqw
