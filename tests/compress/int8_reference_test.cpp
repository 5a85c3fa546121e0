// Weights that were quantized to int8 elsewhere, from a file to an archive and back.
#include "pipeline/int8_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "pqw/archive/archive.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/random_int8_weight.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"
#include "tests/support/without_layout.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr DType kI8 = DType::kI8;
constexpr DType kF32 = DType::kF32;

TEST(FindInt8References, ByTheNamesOfTheirCompanions) {
  const std::vector<TensorInfo> tensors = {{"a.weight_scale", kF32, {4, 1}},
                                           {"a.weight", kI8, {4, 3}},
                                           {"b.weight", kI8, {4, 3}},
                                           {"b.zero_point", DType::kI64, {}},
                                           {"b.scale", DType::kF64, {}},
                                           {"weight", kI8, {2, 2, 3}},
                                           {"scale", DType::kBF16, {2}},
                                           {"table", kI8, {4, 3}},
                                           {"table_zero_point", kI8, {1}},
                                           {"table_scale", kF32, {1}},
                                           {"a.scale", kF32, {1}}};
  const auto found = find_int8_references(tensors);
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].values, 1u);
  EXPECT_EQ(found[0].scale, 0u);  // not a.scale
  EXPECT_EQ(found[0].zero_point, std::nullopt);
  EXPECT_EQ(found[1].values, 2u);
  EXPECT_EQ(found[1].scale, 4u);
  EXPECT_EQ(found[1].zero_point, 3u);
  EXPECT_EQ(found[2].values, 5u);
  EXPECT_EQ(found[2].scale, 6u);
  EXPECT_EQ(found[3].values, 7u);
  EXPECT_EQ(found[3].scale, 9u);
  EXPECT_EQ(found[3].zero_point, 8u);
}

TEST(FindInt8References, OnlyWhereTypesAndShapesFit) {
  const auto none = [](std::vector<TensorInfo> tensors) {
    return find_int8_references(tensors).empty();
  };
  EXPECT_FALSE(none({{"x", kI8, {4, 3}}, {"x_scale", kF32, {4}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 3}}}));
  EXPECT_TRUE(none({{"x", DType::kU8, {4, 3}}, {"x_scale", kF32, {4}}}));
  EXPECT_TRUE(none({{"x", kI8, {4}}, {"x_scale", kF32, {4}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 0}}, {"x_scale", kF32, {4}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 3}}, {"x_scale", kF32, {3}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 3}}, {"x_scale", kF32, {4, 3}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 3}}, {"x_scale", kF32, {1, 4}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 3}}, {"x_scale", DType::kI32, {4}}}));
  EXPECT_TRUE(
      none({{"x", kI8, {4, 3}}, {"x_scale", kF32, {4}}, {"x_zero_point", DType::kI32, {1}}}));
  EXPECT_TRUE(none({{"x", kI8, {4, 3}}, {"x_scale", kF32, {4}}, {"x_zero_point", kF32, {4}}}));
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& values) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values.data());
  return {bytes, bytes + values.size() * sizeof(T)};
}

class AdoptTest : public testing::Test {
 protected:
  void write(const std::vector<std::int64_t>& zero_points,
             const std::vector<double>& scales = {0.5, 0.25, 1, 2}) {
    const std::vector<TensorInfo> infos = {{"fc.weight", kI8, {4, 64}},
                                           {"fc.scale", DType::kF64, {4}},
                                           {"fc.zero_point", DType::kI64, {4}},
                                           {"half", kI8, {3, 50}},
                                           {"half_scale", DType::kF16, {1}},
                                           {"float.weight", kF32, {64, 64}},
                                           {"steps", kI8, {5}}};
    std::vector<std::byte> half(2);
    from_float(std::vector<float>{0.125f}, DType::kF16, half);
    const auto writer = create_weights(input_, infos, {}, {.overwrite = true});
    for (const auto& bytes :
         {bytes_of(fc_), bytes_of(scales), bytes_of(zero_points), bytes_of(half_), half,
          bytes_of(test::normal_values(64 * 64, 1)), bytes_of(test::random_int8(5, 3))}) {
      writer->add(bytes);
    }
    writer->commit();
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "net.safetensors";
  const std::string archive_ = dir_ / "net.h5";
  const std::vector<std::int8_t> fc_ = test::random_int8(4 * 64, 1);
  const std::vector<std::int8_t> half_ = test::random_int8(3 * 50, 2);
  const Recipe recipe_{.defaults = {{"codec", "int8"}}};
};

TEST_F(AdoptTest, ValuesScalesAndZeroPointsBitForBit) {
  write({0, -3, 127, -128});
  const Report report = compress(input_, archive_, recipe_);
  EXPECT_EQ(plan_compression(input_, recipe_).file_bytes, report.file_bytes);
  ASSERT_EQ(report.tensors.size(), 4u);
  EXPECT_EQ(test::without_layout(report.tensors[0].info), (TensorInfo{"fc.weight", kF32, {4, 64}}));
  EXPECT_EQ(report.tensors[0].codec, "int8");
  EXPECT_THAT(report.tensors[0].note, HasSubstr("adopted"));
  EXPECT_EQ(test::without_layout(report.tensors[1].info),
            (TensorInfo{"half", DType::kF16, {3, 50}}));
  EXPECT_EQ(report.tensors[2].codec, "int8");
  EXPECT_EQ(test::without_layout(report.tensors[3].info), (TensorInfo{"steps", kI8, {5}}));
  EXPECT_EQ(report.tensors[3].codec, "plain");

  const Model model(archive_);
  const auto fc = std::get<Int8Weight>(model.weight("fc.weight"));
  EXPECT_EQ(fc.values, fc_);
  EXPECT_THAT(fc.scales, ElementsAre(0.5f, 0.25f, 1.0f, 2.0f));
  EXPECT_THAT(fc.zero_points, ElementsAre(0, -3, 127, -128));
  const auto half = std::get<Int8Weight>(model.weight("half"));
  EXPECT_EQ(half.values, half_);
  EXPECT_THAT(half.scales, ElementsAre(0.125f));
  EXPECT_TRUE(half.zero_points.empty());
}

TEST_F(AdoptTest, DecodesToFloatsAndIsMeasuredAgainstThem) {
  write({0, 1, 2, 3});
  compress(input_, archive_, recipe_);
  decode_archive(archive_, dir_ / "out.safetensors", "", false);
  const auto decoded = open_weights(dir_ / "out.safetensors");
  ASSERT_EQ(decoded->tensors().size(), 4u);
  for (std::size_t i = 0; i < decoded->tensors().size(); ++i) {
    if (decoded->tensors()[i].name != "fc.weight") continue;
    std::vector<float> w(4 * 64);
    to_float(decoded->read(i), kF32, w);
    for (std::size_t c = 0; c < 64; ++c) {
      ASSERT_EQ(w[64 + c], 0.25f * static_cast<float>(fc_[64 + c] - 1));
    }
  }
  for (const std::string& compressed : {archive_, dir_ / "out.safetensors"}) {
    const Report report = evaluate(input_, compressed);
    ASSERT_EQ(report.tensors.size(), 4u);
    for (const TensorReport& tensor : report.tensors) {
      if (tensor.info.name == "float.weight") continue;
      EXPECT_EQ(tensor.distortion->squared_error(), 0) << tensor.info.name;
    }
  }
}

TEST_F(AdoptTest, OtherCodecsAndExclusionsCarryThemAsTheyAre) {
  write({0, 1, 2, 3});
  for (const Recipe& recipe :
       {Recipe{}, Recipe{.defaults = {{"codec", "int8"}}, .exclude = {"fc", "half"}}}) {
    const Report report = compress(input_, archive_, recipe, {.overwrite = true});
    ASSERT_EQ(report.tensors.size(), 7u);
    EXPECT_EQ(test::without_layout(report.tensors[0].info),
              (TensorInfo{"fc.weight", kI8, {4, 64}}));
    EXPECT_EQ(report.tensors[0].codec, "plain");
    const Report evaluated = evaluate(input_, archive_);
    EXPECT_EQ(evaluated.tensors.size(), 7u);
  }
}

TEST_F(AdoptTest, AScaleOrZeroPointThatCannotBeNamesFileAndTensors) {
  const auto message = [&] {
    try {
      compress(input_, archive_, recipe_);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string subject = input_ + ": tensor 'fc.weight': scales 'fc.scale': ";
  write({0, 1, 2, 3}, {0.5, 0, 1, 2});
  EXPECT_EQ(message(), subject + "int8 reference: scale 0, expected a finite number above 0");
  write({0, 1, 2, 3}, {0.5, -1e-9, 1, 2});
  EXPECT_EQ(message(), subject + "int8 reference: scale -1e-09, expected a finite number above 0");
  write({0, 1, 2, 128});
  EXPECT_EQ(message(), subject + "zero point 128, expected -128 to 127");
}

TEST_F(AdoptTest, TheRuleSaysWhatRangeInputsHave) {
  write({0, 1, 2, 3});
  compress(input_, archive_, {.defaults = {{"codec", "int8"}, {"activations", "batch"}}});
  const auto fc = std::get<Int8Weight>(Model(archive_).weight("fc.weight"));
  EXPECT_EQ(fc.activations, ActivationRange::kBatch);
}

TEST_F(AdoptTest, ZeroPointsBeyondInt8AreRefused) {
  write({0, 1, 200, 3});
  try {
    compress(input_, archive_, recipe_);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    EXPECT_THAT(error.what(), HasSubstr("'fc.weight'"));
    EXPECT_THAT(error.what(), HasSubstr("zero point 200"));
  }
}

}  // namespace
}  // namespace pqw
