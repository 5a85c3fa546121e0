#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ostream>

#include "pqw/codecs/encode.h"
#include "pqw/codecs/product.h"
#include "pqw/core/error.h"
#include "tests/support/random_tensorized_weight.h"
#include "tests/support/reference.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

FloatTensor tensor_of(Shape shape, std::vector<float> values, const char* name = "w") {
  return {{name, DType::kF32, std::move(shape)}, std::move(values)};
}

FloatTensor random_tensor(const Shape& shape, unsigned seed) {
  return tensor_of(shape, test::normal_values(element_count(shape), seed));
}

TensorizedOptions options_of(const std::string& settings) {
  return std::get<TensorizedOptions>(options_from(parse_settings("codec=tensorized," + settings)));
}

TensorizedWeight encoded(const FloatTensor& tensor, const TensorizedOptions& options) {
  return std::get<TensorizedWeight>(Encoding(tensor, options).encode());
}

TEST(TensorizedGain, RestoresTheAmplitudeOfTheProduct) {
  const FloatTensor tensor = random_tensor({24, 30}, 5);
  for (const char* form : {"cp", "tucker", "tt", "ttm"}) {
    for (const char* factors : {"", ",factors.codec=int8"}) {
      const std::string settings = std::string("gain=unbiased,rank=0.7,form=") + form + factors;
      const TensorizedWeight weight = encoded(tensor, options_of(settings));
      const auto v = test::decoded(weight);
      double original = 0, product = 0;
      for (std::size_t i = 0; i < v.size(); ++i) {
        original += double{tensor.values[i]} * tensor.values[i];
        product += double{tensor.values[i]} * v[i];
      }
      EXPECT_THAT(weight.options, HasSubstr(",gain=unbiased,gain_factor="));
      const bool limited = !weight.options.ends_with("none");
      EXPECT_NEAR(product / original, 1, limited ? 0.5 : 1e-3) << settings;
    }
  }
}

struct Case {
  TensorLayout layout;
  const char* settings;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.settings; }

class TensorizedEncode : public testing::TestWithParam<Case> {};

// With full padding: modes exactly as long as the sides.
TEST_P(TensorizedEncode, MatricesOfThatLayoutComeBack) {
  const TensorLayout& layout = GetParam().layout;
  const Shape shape{element_count(layout.out_modes), element_count(layout.in_modes)};
  const auto values = test::decoded(test::random_tensorized_weight(shape, layout));
  TensorizedOptions options = options_of(GetParam().settings);
  options.out_modes = layout.out_modes;
  options.in_modes = layout.in_modes;
  options.rank.sizes = layout.ranks;
  options.iterations = 500;
  options.tolerance = 0;
  const TensorizedWeight weight = encoded(tensor_of(shape, values), options);
  EXPECT_EQ(weight.layout, layout);
  EXPECT_LE(test::relative_error(test::decoded(weight), values), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(
    Forms, TensorizedEncode,
    testing::Values(Case{{TensorForm::kCp, {3, 4}, {5, 3}, 1, {3}}, "form=cp,restarts=4"},
                    Case{{TensorForm::kTucker, {3, 4}, {5, 3}, 1, {2, 3, 4, 2}}, "form=tucker"},
                    Case{{TensorForm::kTt, {3, 4}, {5, 3}, 1, {2, 5, 2}}, "form=tt"},
                    Case{{TensorForm::kTtm, {3, 4}, {5, 3}, 1, {4}}, "form=ttm"}));

class TensorizedForms : public testing::TestWithParam<const char*> {};

// As many parameters as the dense matrix and no bound by CP's search: nothing is lost by the
// others.
TEST_P(TensorizedForms, FullRanksAndPaddingLoseNothing) {
  const FloatTensor tensor = random_tensor({11, 13}, 3);
  TensorizedOptions options = options_of(std::string("rank=1000,modes=2,form=") + GetParam());
  if (options.form == TensorForm::kCp) options.rank.sizes = {60};
  EXPECT_LE(test::relative_error(test::decoded(encoded(tensor, options)), tensor.values), 1e-3);
}

TEST_P(TensorizedForms, ParametersStayWithinTheFraction) {
  for (const Shape& shape : {Shape{64, 48}, Shape{97, 31}, Shape{16, 8, 3, 3}, Shape{200, 3}}) {
    for (const double fraction : {0.05, 0.3, 1.0}) {
      TensorizedOptions options = options_of(std::string("form=") + GetParam());
      options.rank = {.sizes = {}, .fraction = fraction};
      const MatrixShape matrix = matrix_shape(shape);
      const TensorLayout layout = make_layout(matrix, 1, options);
      const double allowed = fraction * static_cast<double>(matrix.rows * matrix.cols);
      const bool least = std::ranges::all_of(layout.ranks, [](std::size_t r) { return r == 1; });
      EXPECT_TRUE(static_cast<double>(parameter_count(layout)) <= allowed || least)
          << to_string(shape) << " " << fraction;
      for (std::size_t k = 0; k < layout.ranks.size(); ++k) {  // no rank has room to grow
        TensorLayout larger = layout;
        ++larger.ranks[k];
        options.rank.sizes = larger.ranks;
        try {
          larger = make_layout(matrix, 1, options);
        } catch (const Error&) {
          continue;  // above its bound
        }
        if (larger.ranks == layout.ranks) continue;  // clipped
        EXPECT_GT(static_cast<double>(parameter_count(larger)), allowed);
      }
    }
  }
}

TEST_P(TensorizedForms, MoreParametersLessError) {
  const FloatTensor tensor = random_tensor({24, 36}, 8);
  double before = 1;
  for (const char* rank : {"0.1", "0.3", "0.8"}) {
    const auto weight =
        encoded(tensor, options_of(std::string("rank=") + rank + ",form=" + GetParam()));
    const double error = test::relative_error(test::decoded(weight), tensor.values);
    EXPECT_LT(error, before) << rank;
    before = error;
  }
}

// Options that end the forms found by sweeps early.
std::string few_sweeps(const std::string& form) {
  if (form == "cp") return ",iterations=2,restarts=1";
  return form == "tucker" ? ",iterations=2" : "";
}

TEST_P(TensorizedForms, BitsDoNotDependOnTheThreads) {
  const FloatTensor tensor = random_tensor({120, 200}, 8);
  const TensorizedOptions options =
      options_of(std::string("rank=0.4,form=") + GetParam() + few_sweeps(GetParam()));
  omp_set_num_threads(1);
  const auto expected = test::decoded(encoded(tensor, options));
  omp_set_num_threads(3);
  EXPECT_TRUE(test::decoded(encoded(tensor, options)) == expected);
  omp_set_num_threads(omp_get_num_procs());
}

TEST_P(TensorizedForms, ZerosStayZeros) {
  const FloatTensor tensor = tensor_of({6, 10}, std::vector<float>(60));
  const auto weight = encoded(tensor, options_of(std::string("rank=0.5,form=") + GetParam()));
  EXPECT_EQ(test::decoded(weight), tensor.values);
}

class TensorizedJoint : public testing::TestWithParam<const char*> {};

TEST_P(TensorizedJoint, LayersAreTheirSlices) {
  TensorizedOptions options = options_of(std::string("rank=1000,modes=2,form=") + GetParam());
  if (options.form == TensorForm::kCp) options.rank.sizes = {60};
  const std::vector<FloatTensor> layers{random_tensor({6, 10}, 1), random_tensor({6, 10}, 2),
                                        random_tensor({6, 10}, 3)};
  const auto weights = encode_joint(layers, options);
  ASSERT_EQ(weights.size(), 3u);
  for (std::size_t l = 0; l < 3; ++l) {
    EXPECT_LE(test::relative_error(test::decoded(weights[l]), layers[l].values), 1e-3);
    EXPECT_EQ(weights[l].factors, weights[0].factors);
    std::vector<float> x(10, 1.0f), y(6);
    make_product(weights[l])->multiply_rows(0, {x.data(), 1, 10}, {y.data(), 1, 6});
    for (std::size_t r = 0; r < 6; ++r) {
      const auto row = layers[l].values.begin() + static_cast<std::ptrdiff_t>(10 * r);
      EXPECT_NEAR(y[r], std::accumulate(row, row + 10, 0.0f), 0.02);
    }
  }
}

// Equal layers: one more mode costs next to nothing.
TEST_P(TensorizedJoint, LayersShareWhatTheyHaveInCommon) {
  TensorizedOptions options = options_of(std::string("modes=2,form=") + GetParam());
  const std::vector<FloatTensor> layers(4, random_tensor({12, 10}, 1));
  options.rank = {.sizes = {}, .fraction = 0.25};
  const TensorLayout joint = make_layout({12, 10}, 4, options);
  EXPECT_LE(parameter_count(joint), 120u);
  const auto weights = encode_joint(layers, options);
  options.rank.fraction = 0.25;
  const double alone =
      test::relative_error(test::decoded(encoded(layers[0], options)), layers[0].values);
  EXPECT_LT(test::relative_error(test::decoded(weights[3]), layers[3].values), 0.95 * alone);
}

INSTANTIATE_TEST_SUITE_P(All, TensorizedForms, testing::Values("cp", "tucker", "tt", "ttm"),
                         [](const auto& form) { return std::string(form.param); });

INSTANTIATE_TEST_SUITE_P(All, TensorizedJoint, testing::Values("cp", "tucker", "tt"),
                         [](const auto& form) { return std::string(form.param); });

TEST(TensorizedEncodeJoint, TtmAndUnequalLayersAreRefused) {
  const auto message = [](std::vector<FloatTensor> layers, const std::string& settings) {
    try {
      encode_joint(layers, options_of(settings));
      return std::string("accepted");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return std::string(error.what());
    }
  };
  const FloatTensor a = random_tensor({6, 10}, 1), b = random_tensor({6, 9}, 1);
  EXPECT_THAT(message({a, a}, "form=ttm"), HasSubstr("form=ttm cannot be joint"));
  EXPECT_THAT(message({a, b}, "form=tt"), HasSubstr("[6, 9]"));
  EXPECT_THAT(message({}, "form=tt"), HasSubstr("no layers"));
}

TEST(TensorizedModes, SidesAreFactoredInBalance) {
  EXPECT_THAT(balanced_modes(768, 3), ElementsAre(8, 8, 12));
  EXPECT_THAT(balanced_modes(512, 3), ElementsAre(8, 8, 8));
  EXPECT_THAT(balanced_modes(36, 2), ElementsAre(6, 6));
  EXPECT_THAT(balanced_modes(97, 3), ElementsAre(2, 7, 7));  // 98: 97 is a prime
  EXPECT_THAT(balanced_modes(7, 2), ElementsAre(2, 4));      // 8
  EXPECT_THAT(balanced_modes(6, 3), ElementsAre(2, 3));      // no three modes of 2
  EXPECT_THAT(balanced_modes(3, 3), ElementsAre(3));
  EXPECT_THAT(balanced_modes(1, 3), ElementsAre(1));
  EXPECT_THAT(balanced_modes(100, 1), ElementsAre(100));
}

TEST(TensorizedModes, NoSideIsRefusedOrPaddedToTwice) {
  for (std::size_t side = 1; side < 3000; ++side) {
    for (std::size_t n = 1; n <= 4; ++n) {
      const Shape modes = balanced_modes(side, n);
      const std::size_t size = element_count(modes);
      ASSERT_GE(size, side);
      ASSERT_TRUE(size < 2 * side) << side;
      ASSERT_LE(modes.size(), n);
      ASSERT_GE(*std::ranges::min_element(modes), std::min<std::size_t>(side, 2));
    }
  }
}

// Kossaifi et al., TensorLy, validate_cp_rank: fraction * Π d / Σ d, 0.5 * 4096 / 32 = 64.
TEST(TensorizedRank, FractionsByHand) {
  TensorizedOptions options = options_of("form=cp,rank=0.5,modes=2");
  EXPECT_THAT(make_layout({64, 64}, 1, options).ranks, ElementsAre(64));
  // A train of one mode a side is a product of [10, r] and [r, 10]: 20 r <= 50.
  options = options_of("form=tt,rank=0.5,modes=1");
  EXPECT_THAT(make_layout({10, 10}, 1, options).ranks, ElementsAre(2));
  // Tucker of two modes: r s + 10 r + 10 s <= 50 holds for 2, 2 and not for 3, 2.
  options = options_of("form=tucker,rank=0.5,modes=1");
  EXPECT_THAT(make_layout({10, 10}, 1, options).ranks, ElementsAre(2, 2));
  // TT-matrix: 2 * 4 * 4 r <= 0.5 * 256.
  options = options_of("form=ttm,rank=0.5,modes=2");
  EXPECT_THAT(make_layout({16, 16}, 1, options).ranks, ElementsAre(4));
  options = options_of("form=tt,rank=same,modes=1");
  EXPECT_THAT(make_layout({10, 10}, 1, options).ranks, ElementsAre(5));
}

TEST(TensorizedRank, OneNumberIsClippedTuplesAreChecked) {
  TensorizedOptions options = options_of("form=tt,modes=2,rank=7");
  EXPECT_THAT(make_layout({16, 16}, 1, options).ranks, ElementsAre(4, 7, 4));
  options = options_of("form=tt,modes=2,rank=2x7x3");
  EXPECT_THAT(make_layout({16, 16}, 1, options).ranks, ElementsAre(2, 7, 3));
  options.rank.sizes = {5, 7, 3};
  EXPECT_THROW(make_layout({16, 16}, 1, options), Error);
  options.rank.sizes = {2, 7};
  EXPECT_THROW(make_layout({16, 16}, 1, options), Error);
}

TEST(TensorizedOptions, TextsComeBackAndNonsenseDoesNot) {
  const std::string text =
      "form=cp,modes=2,out=4x6,in=auto,rank=3x4x5,iterations=7,restarts=2,tolerance=0.01,"
      "seed=9";
  EXPECT_EQ(to_string(options_of(text)), text);
  EXPECT_THAT(to_string(options_of("rank=0.25")), HasSubstr("rank=0.25"));
  EXPECT_THAT(to_string(options_of("rank=1.0")), HasSubstr("rank=same"));
  for (const char* bad : {"form=svd", "modes=0", "modes=7", "out=4x", "out=0x2", "in=x", "rank=0",
                          "rank=0.0", "rank=1.5", "rank=-1", "rank=4x", "rank=few", "tolerance=1",
                          "seed=x", "restarts=1001", "iterations=-1", "block_size=4"}) {
    EXPECT_THROW(options_of(bad), Error) << bad;
  }
  for (const char* misfit : {"out=4x5", "in=100", "rank=9x9"}) {
    EXPECT_THROW(encoded(random_tensor({10, 10}, 1), options_of(misfit)), Error) << misfit;
  }
}

}  // namespace
}  // namespace pqw
