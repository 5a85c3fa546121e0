// Plain F32 tensors in a narrower type, from a file to an archive and back.
#include "compress/plain_dtype.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "model/archive_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/formats/file_testing.h"
#include "tests/support/errors.h"
#include "tests/support/foreseen.h"
#include "tests/support/random_matrix.h"
#include "tests/support/without_layout.h"

namespace pqw {
namespace {

using test::read_all;
using test::Tensor;
using test::write_all;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// 64 values of one and then these.
std::vector<float> ones_and(std::initializer_list<float> others) {
  std::vector<float> values(64, 1.0f);
  values.insert(values.end(), others);
  return values;
}

Narrowed narrowed(const std::vector<float>& values, PlainDtype wanted) {
  return pqw::narrowed({"b", DType::kF32, {values.size()}}, std::as_bytes(std::span(values)),
                       wanted);
}

TEST(PlainDtype, RoundsToNearestEven) {
  // Halfway between 1 and the next F16, and between that and the one after.
  const std::vector<float> values = ones_and({1 + 0x1p-11f, 1 + 0x3p-11f});
  const Narrowed made = narrowed(values, PlainDtype::kF16);
  ASSERT_TRUE(made.record);
  EXPECT_EQ(made.note, "stored as F16");
  std::vector<float> stored(2);
  to_float(std::span(made.record->sections[0].bytes).last(4), DType::kF16, stored);
  EXPECT_THAT(stored, testing::ElementsAre(1, 1 + 0x1p-9f));
  EXPECT_EQ(made.distortion.squared_error(), 0x2p-22);
}

TEST(PlainDtype, ExactTakesTheTypeThatHoldsEveryValue) {
  const auto note = [](std::initializer_list<float> values) {
    return narrowed(ones_and(values), PlainDtype::kExact).note;
  };
  EXPECT_EQ(note({-0.0f, 1 + 0x1p-10f, 0x1p-24f, -kInfinity}), "stored as F16");
  EXPECT_EQ(note({0x1p100f}), "stored as BF16");
  EXPECT_EQ(note({1 + 0x1p-11f}), "");
  EXPECT_EQ(note({1 + 0x1p-10f, 0x1p100f}), "");
  EXPECT_EQ(note({kNaN}), "");
}

TEST(PlainDtype, KeepsWhatTheTypeCannotHold) {
  const auto note = [](std::initializer_list<float> values, PlainDtype wanted) {
    const Narrowed made = narrowed(ones_and(values), wanted);
    EXPECT_EQ(made.record.has_value(), made.note.starts_with("stored")) << made.note;
    return made.note;
  };
  EXPECT_EQ(note({std::nextafter(65520.0f, 0.0f)}, PlainDtype::kF16), "stored as F16");
  EXPECT_EQ(note({-65520}, PlainDtype::kF16), "not F16: beyond the range");
  EXPECT_EQ(note({-65520}, PlainDtype::kBF16), "stored as BF16");
  EXPECT_EQ(note({std::numeric_limits<float>::max()}, PlainDtype::kBF16),
            "not BF16: beyond the range");
  EXPECT_EQ(note({kNaN}, PlainDtype::kBF16), "not BF16: holds NaN");
  EXPECT_EQ(note({kInfinity}, PlainDtype::kF16), "stored as F16");
  EXPECT_EQ(note({kInfinity, 0.1f}, PlainDtype::kF16), "not F16: holds infinity");
  EXPECT_EQ(narrowed(std::vector<float>(64, 1e-9f), PlainDtype::kF16).note,
            "not F16: relative error 1");
}

TEST(PlainDtype, SmallTensorsAndOtherTypesStay) {
  EXPECT_FALSE(narrowed(std::vector<float>(32, 1), PlainDtype::kF16).record);
  EXPECT_TRUE(narrowed(std::vector<float>(33, 1), PlainDtype::kF16).record);
  EXPECT_FALSE(narrowed(std::vector<float>(64, 1), PlainDtype::kSame).record);
  EXPECT_FALSE(may_be_narrowed({"b", DType::kF64, {64}}, PlainDtype::kF16));
}

class NarrowFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto add = [&](const char* name, Shape shape, unsigned seed) {
      Tensor tensor{{name, DType::kF32, shape}, ""};
      const std::vector<float> values = test::normal_values(element_count(shape), seed);
      tensor.bytes = test::text_of(std::as_bytes(std::span(values)));
      tensors_.push_back(tensor);
    };
    add("bias", {256}, 1);
    add("head", {16, 64}, 2);
    add("same", {256}, 1);
    add("w", {64, 64}, 3);
    write_all(input_, tensors_);
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.safetensors", archive_ = dir_ / "a.h5";
  std::vector<Tensor> tensors_;
  const Recipe recipe_{.defaults = {{"codec", "pq"}, {"plain_dtype", "f16"}}, .exclude = {"head"}};
};

TEST_F(NarrowFiles, AreReportedAndMeasured) {
  const Report report = compress(input_, archive_, recipe_);
  const Report planned = plan_compression(input_, recipe_);
  test::expect_foreseen(planned, report);
  const Report inspected = inspect(archive_), evaluated = evaluate(input_, archive_);
  const std::vector<std::string> codecs{"cast", "cast", "alias", "pq"};
  for (std::size_t i = 0; i < codecs.size(); ++i) {
    for (const Report* other : {&report, &planned, &inspected, &evaluated}) {
      const TensorReport& tensor = other->tensors[i];
      EXPECT_EQ(tensor.codec, codecs[i]);
      EXPECT_EQ(test::without_layout(tensor.info), tensors_[i].info);
      EXPECT_EQ(tensor.compressed(), i == 3);
      if (!tensor.at_most) {
        EXPECT_EQ(tensor.bytes, report.tensors[i].bytes);
      }
    }
    const double error = evaluated.tensors[i].distortion->squared_error();
    EXPECT_GT(error, 0);
    EXPECT_EQ(report.tensors[i].distortion->squared_error(), error);
  }
  EXPECT_EQ(report.tensors[0].bytes, 512u);
  EXPECT_EQ(report.tensors[0].note, "rank below 2; stored as F16");
  EXPECT_EQ(planned.tensors[1].note, "excluded; stored as F16");
  EXPECT_EQ(inspected.tensors[0].note, "stored as F16");
  EXPECT_EQ(evaluated.tensors[1].note, "stored as F16");
  EXPECT_EQ(evaluated.tensors[2].note, "same as 'bias'");
  EXPECT_LT(evaluated.tensors[0].distortion->relative_error(), 0x1p-22);
  EXPECT_EQ(verify(archive_), 4u);
}

TEST_F(NarrowFiles, DecodeToTheOriginalType) {
  compress(input_, archive_, recipe_);
  decode_archive(archive_, dir_ / "d.safetensors", "", false);
  const std::vector<Tensor> decoded = read_all(dir_ / "d.safetensors");
  const Model model(archive_);
  EXPECT_EQ(model.codec("bias"), "plain");
  for (const std::size_t i : {0u, 1u, 2u}) {
    EXPECT_EQ(decoded[i].info, tensors_[i].info);
    std::vector<float> expected(element_count(tensors_[i].info.shape));
    to_float(test::bytes_of(tensors_[i].bytes), DType::kF32, expected);
    for (float& value : expected) value = f16_to_float(float_to_f16(value));
    EXPECT_EQ(decoded[i].bytes, test::text_of(std::as_bytes(std::span(expected))));
    EXPECT_EQ(model.decode(tensors_[i].info.name), expected);
  }
  EXPECT_EQ(head_of(model.weight("head")).rows(), 16u);
}

TEST_F(NarrowFiles, AreForPlainTensorsOfTheirRulesOnly) {
  const Recipe recipe{.defaults = {{"codec", "plain"}},
                      .rules = {{"^bias", {{"plain_dtype", "bf16"}}}}};
  const Report report = compress(input_, archive_, recipe);
  EXPECT_EQ(report.tensors[0].note, "rank below 2; stored as BF16");
  for (const std::size_t i : {1u, 2u, 3u}) EXPECT_EQ(report.tensors[i].codec, "plain");
  check_recipe({.defaults = {{"codec", "plain"}, {"plain_dtype", "f16"}}});
  EXPECT_EQ(test::error_of([] {
              check_settings({{"plain_dtype", "f32"}});
            }).what(),
            std::string("plain_dtype=f32: expected same, exact, f16 or bf16"));
}

TEST_F(NarrowFiles, ComeAgainFromTheRecipeOfARun) {
  Recipe recipe = recipe_;
  recipe.defaults = {{"plain_dtype", "f16"}};
  recipe.target = Target{TargetKind::kBitsPerWeight, 9};
  const Report report = compress(input_, archive_, recipe);
  EXPECT_EQ(report.tensors[0].codec, "cast");
  test::expect_foreseen(plan_compression(input_, recipe), report);
  test::set_content(dir_ / "r.yaml", recipe_text(report));
  compress(input_, dir_ / "b.h5", read_recipe(dir_ / "r.yaml"));
  EXPECT_EQ(test::content(dir_ / "b.h5"), test::content(archive_));
}

TEST_F(NarrowFiles, ThatContradictThemselvesAreCorrupt) {
  ArchiveWriter writer(archive_, {});
  writer.add({{"x", DType::kF32, {4}},
              "cast",
              {},
              "",
              {{"values", DType::kF16, {3}, std::vector<std::byte>(6)}}});
  writer.commit();
  const auto reader = open_decoded(archive_);
  for (const Error& error :
       {test::error_of([&] { verify(archive_); }), test::error_of([&] { inspect(archive_); }),
        test::error_of([&] { (void)reader->read(0); })}) {
    EXPECT_EQ(error.code(), ErrorCode::kCorrupt);
    EXPECT_THAT(error.what(), testing::HasSubstr("tensor 'x': section 'values'"));
  }
}

}  // namespace
}  // namespace pqw
