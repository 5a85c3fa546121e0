#include "pqw/compress/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "pqw/calibration/statistics_file.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Array {
  std::string name;
  Shape shape;
  std::vector<float> values;
  DType dtype = DType::kF32;
};

class Calibrate : public testing::Test {
 protected:
  void SetUp() override {
    write("model.safetensors", {normal("fc.weight", {64, 24}, 11),
                                normal("fc.bias", {64}, 12),
                                normal("conv.weight", {8, 2, 3, 3}, 13),
                                normal("dw.weight", {8, 1, 3, 3}, 14),
                                normal("dense.kernel", {24, 32}, 15),
                                {"ids", {4, 4}, {}, DType::kI64}});
  }

  std::string write(const std::string& name, const std::vector<Array>& arrays) const {
    std::vector<TensorInfo> infos;
    for (const Array& array : arrays) infos.push_back({array.name, array.dtype, array.shape});
    const auto writer = create_weights(dir_ / name, infos, {}, {.overwrite = true});
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      std::vector<std::byte> bytes(byte_count(infos[i]));
      if (is_compressible(infos[i].dtype)) from_float(arrays[i].values, infos[i].dtype, bytes);
      writer->add(bytes);
    }
    writer->commit();
    return dir_ / name;
  }

  static Array normal(const std::string& name, const Shape& shape, unsigned seed = 1) {
    return {name, shape, test::normal_values(element_count(shape), seed)};
  }

  CalibrationReport run(const std::vector<std::string>& inputs,
                        CalibrateOptions options = {}) const {
    options.overwrite = true;
    return calibrate(model_, inputs, output_, options);
  }

  std::string error(const std::vector<std::string>& inputs, CalibrateOptions options = {}) const {
    std::filesystem::remove(output_);
    const std::string message = test::error_of([&] { run(inputs, options); }).what();
    EXPECT_FALSE(std::filesystem::exists(output_));
    return message;
  }

  InputStatistics read(const TensorInfo& info) const {
    return StatisticsReader(output_).read(info).value().inputs;
  }

  const TensorInfo fc_ = {"fc.weight", DType::kF32, {64, 24}};
  const test::TempDir dir_;
  const std::string model_ = dir_ / "model.safetensors", output_ = dir_ / "stats.h5";
};

// Every row is in the statistics or held out: the weighted means are those of all rows.
TEST_F(Calibrate, AddsUpFilesOfEveryFloatType) {
  const Array first = normal("fc.weight", {5, 8, 24}, 1);
  Array second = normal("fc.weight", {40, 24}, 2), third = second, fourth = second;
  for (float& value : second.values) value = f16_to_float(float_to_f16(value));
  for (float& value : third.values) value = bf16_to_float(float_to_bf16(value));
  second.dtype = DType::kF16;
  third.dtype = DType::kBF16;
  fourth.dtype = DType::kF64;
  const CalibrationReport report = run({write("a.npz", {first}), write("b.safetensors", {second}),
                                        write("c.safetensors", {third}), write("d.h5", {fourth})},
                                       {.most_held_out = 10});
  ASSERT_EQ(report.tensors.size(), 1u);
  EXPECT_EQ(report.tensors[0].n_rows, 150u);
  EXPECT_EQ(report.tensors[0].n_held_out, 10u);
  EXPECT_EQ(report.file_bytes, std::filesystem::file_size(output_));
  EXPECT_THAT(report.without, ElementsAre("conv.weight", "dw.weight", "dense.kernel"));
  EXPECT_THAT(report.skipped, IsEmpty());

  const InputStatistics found = read(fc_);
  EXPECT_EQ(found.n_rows, 150u);
  EXPECT_EQ(found.n_held_out(), 10u);
  EXPECT_EQ(found.gram_block, 24u);
  for (std::size_t c = 0; c < 24; ++c) {
    double all = 0, parts = 150 * found.means[c];
    for (const Array& array : {first, second, third, fourth}) {
      for (std::size_t i = c; i < array.values.size(); i += 24) all += array.values[i];
    }
    for (std::size_t i = c; i < found.held_out.size(); i += 24) parts += found.held_out[i];
    EXPECT_NEAR(parts, all, 1e-10);
    EXPECT_NEAR(found.gram[c * 24 + c], found.second_moments[c], 1e-6);
  }
}

// Images of 4x4 with 2 channels; with padding 1 and stride 2 a kernel of 3x3 sees 2x2 patches.
TEST_F(Calibrate, UnfoldsTheInputsOfConvolutions) {
  const Array images = normal("conv.weight", {16, 2, 4, 4});
  const std::string input = write("a.npz", {images});
  EXPECT_EQ(run({input}).tensors[0].n_rows + run({input}).tensors[0].n_held_out, 64u);
  run({input}, {.rules = {{"conv", {{"stride", "2"}, {"padding", "1"}}}}, .gram_block = 0});
  const InputStatistics found = read({"conv.weight", DType::kF32, {8, 2, 3, 3}});
  EXPECT_EQ(found.cols, 18u);
  EXPECT_EQ(found.n_rows, 56u);
  EXPECT_EQ(found.n_held_out(), 8u);
  // The middle of the kernel sees elements (0, 0), (0, 2), (2, 0), (2, 2) of each channel.
  for (const std::size_t channel : {0, 1}) {
    const std::size_t c = channel * 9 + 4;
    double all = 0, parts = 56 * found.means[c];
    for (std::size_t i = 0; i < 16; ++i) {
      for (const std::size_t at : {0, 2, 8, 10}) all += images.values[(i * 2 + channel) * 16 + at];
    }
    for (std::size_t i = c; i < found.held_out.size(); i += 18) parts += found.held_out[i];
    EXPECT_NEAR(parts, all, 1e-10);
  }
}

TEST_F(Calibrate, CountsTheColumnsOfTheLayoutOfTheModel) {
  const std::string input = write("a.npz", {normal("dense.kernel", {20, 24})});
  run({input});
  const StatisticsReader reader(output_);
  TensorInfo info{"dense.kernel", DType::kF32, {24, 32}, {}, {Kind::kLinear, {1, 0}}};
  EXPECT_EQ(reader.inputs_of(info)->cols, 24u);
  EXPECT_THAT(error({input}, {.rules = {{"kernel", {{"layout", "oi"}}}}}),
              HasSubstr("shape [20, 24], expected [..., 32]"));
}

// Without padding, a kernel of 3x3 sees 3x3 patches of an image of 5x5.
TEST_F(Calibrate, KeepsTheGroupsOfConvolutionsApart) {
  const Array images = normal("dw.weight", {16, 8, 5, 5});
  const std::string input = write("a.npz", {images});
  const CalibrationReport report = run({input});
  EXPECT_THAT(report.skipped, IsEmpty());
  ASSERT_EQ(report.tensors.size(), 1u);
  EXPECT_EQ(report.tensors[0].cols, 72u);
  EXPECT_EQ(report.tensors[0].gram_block, 9u);
  const InputStatistics found = read({"dw.weight", DType::kF32, {8, 1, 3, 3}});
  ASSERT_EQ(found.gram.size(), 8 * 81u);
  // Taps 0 and 8 of channel 5.
  double all = 0, parts = static_cast<double>(found.n_rows) * found.gram[5 * 81 + 8];
  for (std::size_t image = 0; image < 16; ++image) {
    const float* plane = &images.values[(image * 8 + 5) * 25];
    for (const std::size_t at : {0, 1, 2, 5, 6, 7, 10, 11, 12}) {
      all += double{plane[at]} * plane[at + 12];
    }
  }
  for (std::size_t i = 0; i < found.n_held_out(); ++i) {
    parts += double{found.held_out[i * 72 + 45]} * found.held_out[i * 72 + 53];
  }
  EXPECT_NEAR(parts, all, 1e-4);
  run({input}, {.gram_block = 8});
  EXPECT_EQ(read({"dw.weight", DType::kF32, {8, 1, 3, 3}}).gram_block, 3u) << "parts of a group";
  EXPECT_THAT(error({input, write("b.npz", {normal("dw.weight", {16, 1, 5, 5})})}),
              HasSubstr("inputs of 9 columns, in another array 72"));
}

TEST_F(Calibrate, LeavesOutChannelsWithSeveralOutputsAndSaysSo) {
  const std::string input =
      write("a.npz", {normal("conv.weight", {16, 8, 5, 5}), normal("fc.weight", {16, 24})});
  const CalibrationReport report =
      run({input, input}, {.rules = {{"conv", {{"kind", "depthwise"}}}}});
  ASSERT_EQ(report.skipped.size(), 1u);
  EXPECT_EQ(report.skipped[0].name, "conv.weight");
  EXPECT_THAT(report.skipped[0].what, HasSubstr("2 outputs for each channel"));
  EXPECT_EQ(report.tensors.size(), 1u);
}

TEST_F(Calibrate, GivesEqualBytesForEqualInputs) {
  const std::string input = write("a.npz", {normal("fc.weight", {500, 24})});
  run({input});
  const std::string first = test::content(output_);
  run({input});
  EXPECT_EQ(test::content(output_), first);
  run({input}, {.seed = 1});
  EXPECT_NE(test::content(output_), first);
}

TEST_F(Calibrate, NamesArraysThatDoNotFit) {
  EXPECT_THAT(error({write("a.npz", {normal("fc.weigth", {20, 24})})}),
              HasSubstr("a.npz: array 'fc.weigth': " + model_ + " has no tensor of that name"));
  EXPECT_THAT(error({dir_ / "a.npz"}), HasSubstr("did you mean 'fc.weight'?"));
  EXPECT_THAT(error({write("a.npz", {normal("fc.weight", {20, 23})})}),
              HasSubstr("array 'fc.weight': shape [20, 23], expected [..., 24]"));
  EXPECT_THAT(error({write("a.npz", {normal("fc.bias", {20, 24})})}),
              HasSubstr("F32 of shape [64], expected a weight of floats of rank 2 or more"));
  EXPECT_THAT(error({write("a.npz", {normal("ids", {20, 4})})}), HasSubstr("as I64 of shape"));
  EXPECT_THAT(error({write("a.npz", {{"fc.weight", {20, 24}, {}, DType::kI64}})}),
              HasSubstr("array 'fc.weight': I64, expected F16, BF16, F32 or F64"));
}

TEST_F(Calibrate, NamesTheFirstNumberThatIsNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), HUGE_VALF, -HUGE_VALF, 2e18f}) {
    Array array = normal("fc.weight", {4, 10, 24});
    array.values[(2 * 10 + 3) * 24 + 5] = bad;
    EXPECT_THAT(error({write("a.npz", {array})}), HasSubstr("array 'fc.weight': "));
    EXPECT_THAT(error({write("a.npz", {array})}),
                HasSubstr(" at [2, 3, 5], expected numbers of at most 1e+18"));
  }
}

TEST_F(Calibrate, NeedsSixteenRows) {
  EXPECT_THAT(error({write("a.npz", {normal("fc.weight", {15, 24})})}),
              HasSubstr("array 'fc.weight': 15 rows of inputs in all files, expected 16 or more"));
  EXPECT_EQ(
      run({dir_ / "a.npz", write("b.npz", {normal("fc.weight", {1, 24})})}).tensors[0].n_held_out,
      2u);
  EXPECT_THAT(error({dir_ / "b.npz"}, {.most_held_out = 0}), HasSubstr("0 rows held out"));
}

TEST_F(Calibrate, RefusesWrongSettingsAndOutputs) {
  const std::string input = write("a.h5", {normal("fc.weight", {20, 24})});
  EXPECT_THAT(error({input}, {.rules = {{"fc", {{"strides", "2"}}}}}),
              HasSubstr("unknown setting 'strides': expected stride, padding, dilation, kind or "
                        "layout; did you mean 'stride'?"));
  EXPECT_THAT(error({input}, {.rules = {{"fc2", {{"stride", "2"}}}}}), HasSubstr("fc2"));
  EXPECT_THAT(error({write("empty.npz", {})}), HasSubstr("empty.npz: no inputs of a weight"));
  EXPECT_THROW(calibrate(model_, std::vector{input}, input, {.overwrite = true}), Error);
  EXPECT_FALSE(test::content(input).empty());
}

// What eval says is ‖X(W-Ŵ)ᵀ‖² / ‖XWᵀ‖² of the rows that the file held out.
TEST_F(Calibrate, JudgesOutputsByTheHeldOutRows) {
  run({write("a.npz", {normal("fc.weight", {80, 24}), normal("dense.kernel", {80, 24}, 2),
                       normal("conv.weight", {16, 2, 5, 5})})});
  const std::string archive = dir_ / "m.h5";
  compress(model_, archive,
           {.rules = {{"fc|dense", {{"codec", "pq"}, {"block_size", "4"}, {"centroids", "16"}}},
                      {"conv", {{"codec", "plain"}}},
                      {"dw", {{"codec", "int8"}}}}});
  const Report report = evaluate(model_, archive, {}, output_);
  const Model original(model_), decoded(archive);
  OutputError total;
  for (const TensorReport& tensor : report.tensors) {
    const std::string& name = tensor.info.name;
    if (name != "fc.weight" && name != "dense.kernel") continue;
    ASSERT_TRUE(tensor.output_error) << name;
    const bool by_columns = name == "dense.kernel";  // [in, out]
    const std::size_t rows = by_columns ? 32 : 64;
    const std::vector<float> w = original.decode(name), w_hat = decoded.decode(name);
    const InputStatistics inputs = read(tensor.info);
    OutputError expected;
    for (std::size_t i = 0; i < inputs.n_held_out(); ++i) {
      for (std::size_t r = 0; r < rows; ++r) {
        double y = 0, change = 0;
        for (std::size_t c = 0; c < 24; ++c) {
          const std::size_t at = by_columns ? c * rows + r : r * 24 + c;
          y += double{inputs.held_out[i * 24 + c]} * w[at];
          change += double{inputs.held_out[i * 24 + c]} * (double{w[at]} - w_hat[at]);
        }
        expected.add({change * change, y * y});
      }
    }
    EXPECT_NEAR(tensor.output_error->relative(), expected.relative(), 1e-12) << name;
    EXPECT_GT(expected.relative(), 0);
    total.add(expected);
  }
  EXPECT_NEAR(report.output_error()->relative(), total.relative(), 1e-12);
  for (const TensorReport& tensor : report.tensors) {
    const std::string& name = tensor.info.name;
    EXPECT_EQ(tensor.output_error.has_value(),
              name.starts_with("fc.w") || name == "dense.kernel" || name == "conv.weight")
        << name;
    if (name == "conv.weight") {
      EXPECT_EQ(tensor.output_error->relative(), 0) << "plain";
    }
  }
  EXPECT_FALSE(evaluate(model_, archive).output_error());
}

TEST_F(Calibrate, StatisticsOfAnotherModelAreRefused) {
  run({write("a.npz", {normal("fc.weight", {80, 24})})});
  const std::string other = dir_ / "other.safetensors";
  test::write_normal_weights(other, {{"fc.weight", DType::kF32, {64, 24}}});
  const Error error = test::error_of([&] { evaluate(other, other, {}, output_); });
  EXPECT_THAT(error.what(), HasSubstr("stats.h5: statistics of another model"));
}

}  // namespace
}  // namespace pqw
