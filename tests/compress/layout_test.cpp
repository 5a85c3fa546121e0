// Tensors whose files store the dimensions in another order, from a file to an archive and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "core/permute.h"
#include "pqw/archive/archive.h"
#include "pqw/compress/compress.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/errors.h"
#include "tests/support/foreseen.h"
#include "tests/support/normal_weights.h"
#include "tests/support/reference.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::error_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Case {
  std::string name;
  Settings settings;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

const std::vector<Case> kCases = {
    {"pq", {{"codec", "pq"}, {"centroids", "16"}}},
    {"pq_row_scales", {{"codec", "pq"}, {"centroids", "16"}, {"row_scales", "log8"}}},
    {"int8", {{"codec", "int8"}}},
    {"low_rank", {{"codec", "low_rank"}, {"rank", "4"}, {"factors.codec", "int8"}}},
    {"tensorized", {{"codec", "tensorized"}, {"form", "tt"}, {"rank", "0.3"}}},
    {"cast", {{"codec", "plain"}, {"plain_dtype", "f16"}}},
    {"plain", {{"codec", "plain"}}}};

// A file with the same weights in two orders of dimensions: `kernel` names are [in, out] or [h, w,
// in, out], `weight` names are [out, in, ...].
class Layouts : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    const auto writer = create_weights(input_, kTensors);
    for (std::size_t i = 0; i < kTensors.size(); i += 2) {
      const auto values = test::normal_values(element_count(kTensors[i].shape), 7);
      const auto bytes = std::as_bytes(std::span(values));
      std::vector<std::byte> other(bytes.size());
      permute(bytes, kTensors[i].shape, inverse_axes(kAxes[i / 2]), other);
      writer->add(bytes);
      writer->add(other);
    }
    writer->commit();
  }

  Report compress_all() const {
    return compress(input_, archive_, {.defaults = GetParam().settings});
  }

  static inline const std::vector<TensorInfo> kTensors = {
      {"fc/weight", DType::kF32, {48, 64}},
      {"dense/kernel", DType::kF32, {64, 48}},
      {"c/weight", DType::kF32, {32, 24, 3, 5}},
      {"conv/kernel", DType::kF32, {3, 5, 24, 32}}};
  static inline const std::vector<std::vector<std::size_t>> kAxes = {{1, 0}, {3, 2, 0, 1}};

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.h5", archive_ = dir_ / "a.h5";
};

TEST_P(Layouts, AreKnownEverywhere) {
  const Report report = compress_all();
  test::expect_foreseen(plan_compression(input_, {.defaults = GetParam().settings}), report);
  for (const Report& other : {report, inspect(input_), inspect(archive_)}) {
    const auto layout = [&](const std::string& name) {
      return std::ranges::find(other.tensors, name, [](const auto& t) { return t.info.name; })
          ->info.layout;
    };
    EXPECT_EQ(layout("fc/weight"), (Layout{Kind::kLinear}));
    EXPECT_EQ(layout("dense/kernel"), (Layout{Kind::kLinear, {1, 0}}));
    EXPECT_EQ(layout("c/weight"), (Layout{Kind::kConv}));
    EXPECT_EQ(layout("conv/kernel"), (Layout{Kind::kConv, {3, 2, 0, 1}}));
  }
}

TEST_P(Layouts, AreEncodedAlongTheInputsAndDecodedAsInTheFile) {
  const Report report = compress_all();
  const Model model(archive_);
  for (std::size_t i = 0; i < kTensors.size(); i += 2) {
    const TensorInfo &weight = kTensors[i], &kernel = kTensors[i + 1];
    const auto of_weight = model.read(weight.name);
    std::vector<std::byte> expected(of_weight.size());
    permute(of_weight, weight.shape, inverse_axes(kAxes[i / 2]), expected);
    EXPECT_EQ(model.read(kernel.name), expected) << kernel.name;
    const auto floats = model.decode(kernel.name);
    const auto bytes = std::as_bytes(std::span(floats));
    EXPECT_EQ(std::vector(bytes.begin(), bytes.end()), expected) << kernel.name;
  }
  decode_archive(archive_, dir_ / "d.h5", "", false);
  const Model decoded(dir_ / "d.h5");
  for (const TensorInfo& info : kTensors) EXPECT_EQ(decoded.read(info.name), model.read(info.name));
  EXPECT_EQ(verify(archive_), kTensors.size());
}

TEST_P(Layouts, AreServedInTheCanonicalOrder) {
  compress_all();
  const Model model(archive_);
  const std::size_t n = 3, out = 48, in = 64;
  const auto x = test::normal_values(n * in, 3);
  const auto w = model.decode("dense/kernel");  // [in, out]
  std::vector<double> expected(n * out);
  for (std::size_t r = 0; r < n; ++r) {
    for (std::size_t o = 0; o < out; ++o) {
      for (std::size_t i = 0; i < in; ++i) {
        expected[r * out + o] += double{x[r * in + i]} * double{w[i * out + o]};
      }
    }
  }
  for (const std::string& path : {archive_, input_}) {
    std::vector<float> y(n * out), of_weight(n * out);
    Model(path).linear("dense/kernel").forward({x.data(), n, in}, {y.data(), n, out});
    Model(path).linear("fc/weight").forward({x.data(), n, in}, {of_weight.data(), n, out});
    EXPECT_EQ(y, of_weight);
    if (path == archive_) {
      EXPECT_LT(test::relative_error(y, expected), 2e-2);
    }
  }
  EXPECT_EQ(test::decoded(model.weight("conv/kernel")), test::decoded(model.weight("c/weight")));
}

TEST_P(Layouts, AreMeasuredInTheOrderOfTheFile) {
  const Report report = compress_all(), evaluated = evaluate(input_, archive_);
  ASSERT_EQ(report.tensors.size(), evaluated.tensors.size());
  for (std::size_t i = 0; i < report.tensors.size(); ++i) {
    ASSERT_EQ(report.tensors[i].info, evaluated.tensors[i].info);
    EXPECT_EQ(report.tensors[i].distortion->squared_error(),
              evaluated.tensors[i].distortion->squared_error());
  }
}

INSTANTIATE_TEST_SUITE_P(Codecs, Layouts, testing::ValuesIn(kCases),
                         [](const auto& c) { return c.param.name; });

TEST(LayoutSettings, TakeThePlaceOfWhatWasInferred) {
  const test::TempDir dir;
  const std::string in = dir / "in.safetensors";
  test::write_normal_weights(in, {{"a", DType::kF32, {64, 32}}, {"b", DType::kF32, {5, 16, 32}}});
  const Recipe recipe{.defaults = {{"codec", "int8"}},
                      .rules = {{"rank=2", {{"layout", "io"}, {"kind", "linear"}}},
                                {"rank=3", {{"layout", "wio"}}}}};
  const Report report = compress(in, dir / "a.h5", recipe);
  EXPECT_EQ(report.tensors[0].info.layout, (Layout{Kind::kLinear, {1, 0}}));
  EXPECT_EQ(report.tensors[1].info.layout, (Layout{Kind::kUnknown, {2, 1, 0}}));
  EXPECT_EQ(head_of(Model(dir / "a.h5").weight("b")).shape, Shape({32, 16, 5}));
  EXPECT_THAT(recipe_text(report), HasSubstr("layout: io"));
  EXPECT_THAT(recipe_text(report), HasSubstr("kind: linear"));
}

TEST(LayoutSettings, OfAnotherRankAreRefused) {
  const std::vector<TensorInfo> tensors = {{"a", DType::kF32, {4, 4}}, {"bias", DType::kF32, {4}}};
  test::TempDir dir;
  test::write_normal_weights(dir / "in.npz", tensors);
  EXPECT_THAT(error_of([&] {
                compress(dir / "in.npz", dir / "a.h5", {.defaults = {{"layout", "hwio"}}});
              }).what(),
              HasSubstr("tensor 'a': layout=hwio has 4 dimensions, shape [4, 4] has 2"));
  EXPECT_THAT(error_of([] {
                check_settings({{"layout", "ii"}});
              }).what(),
              HasSubstr("layout=ii: expected a letter for each dimension"));
  EXPECT_THAT(error_of([] {
                check_settings({{"kind", "dense"}});
              }).what(),
              HasSubstr("kind=dense: expected linear"));
}

TEST(KindOther, StaysPlain) {
  const test::TempDir dir;
  test::write_normal_weights(
      dir / "in.h5", {{"gru/bias", DType::kF32, {2, 9000}}, {"gru/x", DType::kF32, {2, 9000}}});
  const Report plan = plan_compression(dir / "in.h5", {.defaults = {{"codec", "int8"}}});
  EXPECT_EQ(plan.tensors[0].note, "not the weight of a layer");
  EXPECT_EQ(plan.tensors[1].codec, "int8");
  const Recipe told{.defaults = {{"codec", "int8"}}, .rules = {{"bias", {{"kind", "linear"}}}}};
  EXPECT_EQ(plan_compression(dir / "in.h5", told).tensors[0].codec, "int8");
}

TEST(LayoutSettings, KindsMustFitTheRank) {
  const test::TempDir dir;
  test::write_normal_weights(dir / "in.h5",
                             {{"m", DType::kF32, {64, 64}}, {"k", DType::kF32, {8, 8, 3, 3}}});
  const auto plan = [&](const std::string& name, const std::string& kind) {
    (void)plan_compression(dir / "in.h5", {.rules = {{"^" + name + "$", {{"kind", kind}}}}});
  };
  const auto message = [&](const std::string& name, const std::string& kind) {
    return std::string(error_of([&] { plan(name, kind); }).what());
  };
  for (const std::string kind : {"conv", "depthwise", "transposed_conv"}) {
    EXPECT_EQ(message("m", kind), "tensor 'm': kind=" + kind +
                                      " does not fit shape [64, 64] of rank 2; expected linear, "
                                      "embedding, recurrent or other");
    EXPECT_NO_THROW(plan("k", kind)) << kind;
  }
  for (const std::string kind : {"embedding", "recurrent"}) {
    EXPECT_EQ(message("k", kind), "tensor 'k': kind=" + kind +
                                      " does not fit shape [8, 8, 3, 3] of rank 4; expected "
                                      "linear, conv, depthwise, transposed_conv or other");
    EXPECT_NO_THROW(plan("m", kind)) << kind;
  }
}

TEST(LayoutErrors, NameTheFirstNanInTheOrderOfTheFile) {
  const test::TempDir dir;
  std::vector<float> values(32 * 16, 1);
  values[3 * 16 + 5] = std::numeric_limits<float>::quiet_NaN();
  values[4 * 16 + 2] = std::numeric_limits<float>::infinity();
  const auto writer =
      create_weights(dir / "in.h5", {{"dense/kernel", DType::kF32, {32, 16}}});  // [in, out]
  writer->add(std::as_bytes(std::span(values)));
  writer->commit();
  const Recipe recipe{.defaults = {{"codec", "int8"}}};
  EXPECT_THAT(error_of([&] { compress(dir / "in.h5", dir / "a.h5", recipe); }).what(),
              HasSubstr("2 NaN or infinite weights (as float), the first at index 53;"));
}

TEST(LayoutAliases, AreOfTheSameLayout) {
  const test::TempDir dir;
  const std::string in = dir / "in.h5";
  const std::vector<TensorInfo> tensors = {{"dense_a/kernel", DType::kF32, {64, 64}},
                                           {"dense_b/kernel", DType::kF32, {64, 64}},
                                           {"fc/weight", DType::kF32, {64, 64}}};
  {
    const auto writer = create_weights(in, tensors);
    const auto values = test::normal_values(64 * 64, 1);
    for (std::size_t i = 0; i < 3; ++i) writer->add(std::as_bytes(std::span(values)));
    writer->commit();
  }
  const Report report = compress(in, dir / "a.h5", {.defaults = {{"codec", "int8"}}});
  EXPECT_EQ(report.tensors[1].codec, "alias");
  EXPECT_EQ(report.tensors[2].codec, "int8");
  const Model model(dir / "a.h5");
  EXPECT_EQ(model.read("dense_b/kernel"), model.read("dense_a/kernel"));
  EXPECT_EQ(test::decoded(model.weight("dense_b/kernel")),
            test::decoded(model.weight("dense_a/kernel")));
}

TEST(AdoptedInt8, HasScalesForOutputsInAnyOrder) {
  const test::TempDir dir;
  const std::string in = dir / "in.h5";
  {
    const auto writer = create_weights(
        in, {{"dense/kernel", DType::kI8, {3, 2}}, {"dense/kernel_scale", DType::kF32, {2}}});
    const std::vector<std::int8_t> values = {1, 2, 3, 4, 5, 6};
    const std::vector<float> scales = {0.5f, 2};
    writer->add(std::as_bytes(std::span(values)));
    writer->add(std::as_bytes(std::span(scales)));
    writer->commit();
  }
  const Report report = compress(in, dir / "a.h5", {.defaults = {{"codec", "int8"}}});
  EXPECT_EQ(report.tensors[0].codec, "int8");
  EXPECT_THAT(Model(dir / "a.h5").decode("dense/kernel"), ElementsAre(0.5f, 4, 1.5f, 8, 2.5f, 12));
  EXPECT_EQ(evaluate(in, dir / "a.h5").tensors[0].distortion->squared_error(), 0);
}

TEST(Guesses, AreNotedInThePlan) {
  const test::TempDir dir;
  const std::string in = dir / "in.h5";
  test::write_normal_weights(in, {{"x/kernel", DType::kF32, {64, 64}}});
  const Recipe recipe{.defaults = {{"codec", "int8"}}};
  EXPECT_THAT(plan_compression(in, recipe).tensors[0].note, HasSubstr("[in, out] in Keras"));
  EXPECT_THAT(inspect(in).tensors[0].note, HasSubstr("[in, out] in Keras"));
  const Recipe told{.defaults = {{"codec", "int8"}, {"layout", "io"}}};
  EXPECT_THAT(plan_compression(in, told).tensors[0].note, IsEmpty());
}

}  // namespace
}  // namespace pqw
