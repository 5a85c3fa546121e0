#include "pqw/model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "codecs/record_checks.h"
#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    ArchiveWriter writer(path_, {});
    for (const auto& [name, shape] :
         std::vector<std::pair<std::string, Shape>>{{"fc.weight", {20, 12}},
                                                    {"conv1d.weight", {6, 4, 3}},
                                                    {"conv2d.weight", {6, 4, 3, 3}},
                                                    {"conv3d.weight", {6, 4, 1, 2, 3}},
                                                    {"embed", {20, 12}}}) {
      writer.add(to_record(weight_of(shape), name));
    }
    writer.add(transposed(to_record(weight_of({20, 12}), "in_out"),
                          {"in_out", DType::kF32, {12, 20}, {}, {.axes = {1, 0}}}));
    writer.add_plain({"fc.bias", DType::kF32, {20}}, std::as_bytes(std::span(bias_)));
    writer.add_plain({"conv.bias", DType::kF32, {6}}, std::as_bytes(std::span(bias_).first(6)));
    const std::vector<std::byte> steps(8);
    writer.add_plain({"steps", DType::kI64, {1}}, steps);
    writer.add_plain({"indices", DType::kI64, {1, 1}}, steps);
    writer.commit();
    model_.emplace(path_);
  }

  static PqWeight weight_of(Shape shape) {
    PqWeight weight = test::random_pq_weight(std::move(shape), 4, 9);
    weight.codebook_dtype = DType::kF32;
    return weight;
  }

  std::vector<float> bias(std::size_t n) const { return {bias_.begin(), bias_.begin() + n}; }

  // The error of making a layer says where, what and why.
  template <class Make>
  void expect_error(const Make& make, ErrorCode code, const std::string& tensor,
                    const std::string& why) const {
    try {
      make();
      ADD_FAILURE() << "no error: " << tensor << ": " << why;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_THAT(error.what(),
                  AllOf(HasSubstr(path_), HasSubstr("'" + tensor + "'"), HasSubstr(why)));
    }
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "m.h5";
  const std::vector<float> bias_ = test::normal_values(20, 9);
  std::optional<Model> model_;
};

TEST_F(ModelTest, TellsWhatTheFileHasForATensor) {
  EXPECT_EQ(model_->stored_bytes("fc.bias"), 20 * sizeof(float));
  const ArchiveReader archive(path_);
  const std::uint64_t bytes = archive.entries()[*archive.find("fc.weight")].data_bytes;
  EXPECT_EQ(model_->stored_bytes("fc.weight"), bytes);
  EXPECT_THROW((void)model_->stored_bytes("fc"), Error);
  EXPECT_TRUE(model_->metadata().empty());

  const std::string file = dir_ / "w.safetensors";
  const auto writer = create_weights(file, {{"w", DType::kF16, {3, 2}}}, {{"format", "pt"}});
  writer->add(std::vector<std::byte>(12));
  writer->commit();
  const Model weights(file);
  EXPECT_EQ(weights.stored_bytes("w"), 12u);
  EXPECT_EQ(weights.metadata().at("format"), "pt");
}

TEST_F(ModelTest, LayersAreThoseOfTheStoredTensors) {
  const auto x = test::normal_values(2 * 4 * 5 * 5, 1);
  {
    std::vector<float> y(2 * 20), expected(2 * 20);
    model_->linear("fc.weight", "fc.bias").forward({x.data(), 2, 12}, {y.data(), 2, 20});
    Linear(weight_of({20, 12}), bias(20)).forward({x.data(), 2, 12}, {expected.data(), 2, 20});
    EXPECT_EQ(y, expected);
    model_->linear("fc.weight").forward({x.data(), 2, 12}, {y.data(), 2, 20});
    for (std::size_t i = 0; i < y.size(); ++i) EXPECT_NEAR(y[i], expected[i] - bias_[i % 20], 1e-5);
  }
  {
    const Conv1dOptions options{.padding = 2};
    std::vector<float> y(2 * 6 * 7), expected(2 * 6 * 7);
    model_->conv1d("conv1d.weight", "conv.bias", options)
        .forward(std::span(x).first(40), {2, 4, 5}, y);
    Conv1d(weight_of({6, 4, 3}), bias(6), options)
        .forward(std::span(x).first(40), {2, 4, 5}, expected);
    EXPECT_EQ(y, expected);
  }
  {
    const Conv2dOptions options{.stride = {2, 1}};
    std::vector<float> y(2 * 6 * 2 * 3), expected(2 * 6 * 2 * 3);
    model_->conv2d("conv2d.weight", "conv.bias", options).forward(x, {2, 4, 5, 5}, y);
    Conv2d(weight_of({6, 4, 3, 3}), bias(6), options).forward(x, {2, 4, 5, 5}, expected);
    EXPECT_EQ(y, expected);
  }
  {
    const Conv3dOptions options{.padding = {1, 0, 0}};
    std::vector<float> y(6 * 3 * 4 * 8), expected(6 * 3 * 4 * 8);
    model_->conv3d("conv3d.weight", "conv.bias", options).forward(x, {1, 4, 1, 5, 10}, y);
    Conv3d(weight_of({6, 4, 1, 2, 3}), bias(6), options).forward(x, {1, 4, 1, 5, 10}, expected);
    EXPECT_EQ(y, expected);
  }
  std::vector<float> y(12), expected(12);
  model_->embedding("embed").forward(std::vector<std::int64_t>{7}, {y.data(), 1, 12});
  decode_rows(weight_of({20, 12}), 7, {expected.data(), 1, 12});
  EXPECT_EQ(y, expected);
}

TEST_F(ModelTest, ThePrecisionIsTheCallers) {
  const auto describe = [&](Precision precision) {
    return model_->linear("fc.weight", "", {.precision = precision, .method = ServeMethod::kLookup})
        .describe(1);
  };
  EXPECT_EQ(describe(Precision::kExact),
            Linear(weight_of({20, 12}), {},
                   {.precision = Precision::kExact, .method = ServeMethod::kLookup})
                .describe(1));
  EXPECT_EQ(describe(Precision::kFast),
            Linear(weight_of({20, 12}), {},
                   {.precision = Precision::kFast, .method = ServeMethod::kLookup})
                .describe(1));
}

TEST_F(ModelTest, ErrorsNameTheArchiveTheTensorAndTheReason) {
  const ErrorCode kBad = ErrorCode::kInvalidArgument;
  expect_error([&] { model_->linear("fc1.weight"); }, ErrorCode::kNotFound, "fc1.weight", "named");
  expect_error([&] { model_->linear("fc.weight", "no"); }, ErrorCode::kNotFound, "no", "named");
  expect_error([&] { model_->linear("conv2d.weight"); }, kBad, "conv2d.weight",
               "Linear: weight of shape [6, 4, 3, 3], expected rank 2");
  expect_error([&] { model_->linear("fc.weight", "conv.bias"); }, kBad, "conv.bias",
               "Linear: bias of 6 elements, expected 20 or none");
  expect_error([&] { model_->linear("fc.weight", "steps"); }, kBad, "steps", "not a float type");
  expect_error([&] { model_->linear("fc.bias"); }, kBad, "fc.bias", "expected rank 2");
  expect_error([&] { model_->linear("indices"); }, kBad, "indices", "type I64");
  expect_error([&] { model_->conv1d("fc.weight"); }, kBad, "fc.weight", "expected rank 3");
  expect_error([&] { model_->conv2d("conv2d.weight", "", {.groups = 4}); }, kBad, "conv2d.weight",
               "groups (4)");
  expect_error([&] { model_->embedding("conv1d.weight"); }, kBad, "conv1d.weight",
               "expected rank 2");
}

// Codes of no bits take no bytes of the file, but two bytes of memory each.
TEST_F(ModelTest, ATensorThatNoMemoryHoldsIsNamed) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer ends the process at such an allocation";
#endif
  PqWeight weight = weight_of({2, 1});
  weight.block_size = 1;
  weight.n_groups = weight.n_centroids = 1;
  weight.codebooks = {1};
  weight.codes = {0, 0};
  Record record = to_record(weight, "huge");
  record.info.shape[0] = std::size_t{1} << 40;
  const std::string path = dir_ / "huge.h5";
  ArchiveWriter writer(path, {});
  writer.add(record);
  writer.commit();
  try {
    (void)Model(path).linear("huge");
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path + ": tensor 'huge': not enough memory: shape [1099511627776, 1] " +
                                "of F32 has 4398046511104 bytes");
  }
}

TEST_F(ModelTest, TellsWhatTheArchiveHolds) {
  ASSERT_EQ(model_->tensors().size(), 10u);
  const auto index = model_->find("conv1d.weight");
  ASSERT_TRUE(index);
  EXPECT_EQ(model_->tensors()[*index], (TensorInfo{"conv1d.weight", DType::kF32, {6, 4, 3}}));
  EXPECT_FALSE(model_->find("conv1d"));
  EXPECT_EQ(model_->codec("conv1d.weight"), "pq");
  EXPECT_EQ(model_->codec("steps"), "plain");
  EXPECT_EQ(model_->decode("fc.bias"), bias_);
  EXPECT_EQ(model_->read("steps"), std::vector<std::byte>(8));
  std::vector<float> w(20 * 12);
  decode_rows(weight_of({20, 12}), 0, {w.data(), 20, 12});
  EXPECT_EQ(model_->decode("fc.weight"), w);
}

TEST_F(ModelTest, DecodesToMemoryOfTheCaller) {
  for (const std::string name : {"fc.weight", "conv2d.weight", "in_out", "fc.bias"}) {
    const std::vector<float> expected = model_->decode(name);
    std::vector<float> floats(expected.size() + 1);
    for (const std::size_t first : {0, 1}) {  // at the begin of the memory, and at an odd address
      std::byte* const data = reinterpret_cast<std::byte*>(floats.data()) + first;
      model_->decode_to(name, {data, DType::kF32, {}});
      EXPECT_EQ(std::memcmp(data, expected.data(), expected.size() * sizeof(float)), 0) << name;
    }
    std::vector<double> doubles(expected.size());
    model_->decode_to(name, {reinterpret_cast<std::byte*>(doubles.data()), DType::kF64, {}});
    EXPECT_EQ(doubles, std::vector<double>(expected.begin(), expected.end())) << name;
  }
}

TEST_F(ModelTest, DecodesWithStrides) {
  for (const std::string name : {"fc.weight", "in_out"}) {
    const std::vector<float> expected = model_->decode(name);
    const Shape shape = model_->tensors()[*model_->find(name)].shape;
    const auto rows = static_cast<std::ptrdiff_t>(shape[0]);
    std::vector<float> columns(expected.size());
    const std::ptrdiff_t strides[] = {4, 4 * rows};  // one column after the other
    model_->decode_to(name, {reinterpret_cast<std::byte*>(columns.data()), DType::kF32, strides});
    for (std::size_t r = 0; r < shape[0]; ++r) {
      for (std::size_t c = 0; c < shape[1]; ++c) {
        ASSERT_EQ(columns[c * shape[0] + r], expected[r * shape[1] + c]) << name;
      }
    }
  }
  std::int64_t step = 1;
  model_->decode_to("steps", {reinterpret_cast<std::byte*>(&step), DType::kI64, {}});
  EXPECT_EQ(step, 0);
}

TEST_F(ModelTest, RefusesMemoryThatDoesNotFitTheTensor) {
  const std::ptrdiff_t one[] = {4};
  expect_error(
      [&] {
        model_->decode_to("fc.weight", {nullptr, DType::kF32, one});
      },
      ErrorCode::kInvalidArgument, "fc.weight", "1 strides for shape [20, 12]");
  expect_error(
      [&] {
        model_->decode_to("steps", {nullptr, DType::kF32, {}});
      },
      ErrorCode::kInvalidArgument, "steps", "I64 cannot be copied as F32");
  expect_error(
      [&] {
        model_->decode_to("fc2", {nullptr, DType::kF32, {}});
      },
      ErrorCode::kNotFound, "fc2", "named");
}

TEST_F(ModelTest, AWeightFileIsServedAsItIs) {
  const std::string path = dir_ / "m.npz";
  const auto writer = create_weights(path, {{"w", DType::kF32, {2, 2}}}, {}, {});
  const std::vector<float> w{1, 2, 3, 4}, x{1, 10};
  writer->add(std::as_bytes(std::span(w)));
  writer->commit();
  const Model model(path);
  EXPECT_EQ(model.codec("w"), "plain");
  EXPECT_EQ(model.decode("w"), w);
  std::vector<float> y(2);
  model.linear("w").forward({x.data(), 1, 2}, {y.data(), 1, 2});
  EXPECT_EQ(y, (std::vector<float>{21, 43}));
}

}  // namespace
}  // namespace pqw
