// Tensors of every shape that might trip a codec, through files and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"
#include "tests/support/without_layout.h"

namespace pqw {
namespace {

// Empty, a single number, one row or column, fewer blocks than centroids, as many, sides that no
// block or factor divides, kernels of every size, more dimensions than any layer has.
const std::vector<Shape> kShapes = {{},
                                    {0},
                                    {1},
                                    {2},
                                    {7},
                                    {256},
                                    {4097},
                                    {0, 7},
                                    {7, 0},
                                    {0, 0},
                                    {3, 0, 2},
                                    {1, 1},
                                    {1, 2},
                                    {2, 1},
                                    {1, 1000},
                                    {1000, 1},
                                    {1, 4096},
                                    {4096, 1},
                                    {3, 5},
                                    {7, 13},
                                    {16, 16},
                                    {17, 31},
                                    {31, 17},
                                    {64, 64},
                                    {100, 3},
                                    {3, 100},
                                    {257, 9},
                                    {9, 257},
                                    {101, 103},
                                    {255, 8},
                                    {256, 8},
                                    {512, 4},
                                    {64, 63},
                                    {1, 1, 1},
                                    {32, 16, 5},
                                    {5, 7, 11},
                                    {64, 1, 3},
                                    {1, 1, 3, 3},
                                    {64, 1, 3, 3},
                                    {16, 8, 3, 3},
                                    {7, 5, 1, 1},
                                    {40, 24, 1, 1},
                                    {8, 4, 5, 5},
                                    {3, 3, 7, 7},
                                    {2, 2, 2, 2, 2},
                                    {1, 1, 1, 1, 64},
                                    {4, 3, 2, 3, 2, 1}};

enum class Values { kNormal, kZero, kEqual };

std::vector<float> make_values(Values kind, std::size_t n, unsigned seed) {
  if (kind == Values::kNormal) return test::normal_values(n, seed, 0, 0.05f);
  return std::vector<float>(n, kind == Values::kZero ? 0.0f : -0.625f);
}

std::vector<TensorInfo> tensors_of(DType dtype) {
  std::vector<TensorInfo> tensors;
  for (const Shape& shape : kShapes) {
    tensors.push_back({std::to_string(tensors.size()), dtype, shape});
  }
  return tensors;
}

void write(const std::string& path, const std::vector<TensorInfo>& tensors, Values kind) {
  const auto writer = create_weights(path, tensors, {}, {.overwrite = true});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto values =
        make_values(kind, element_count(tensors[i].shape), static_cast<unsigned>(i));
    std::vector<std::byte> bytes(byte_count(tensors[i]));
    from_float(values, tensors[i].dtype, bytes);
    writer->add(bytes);
  }
  writer->commit();
}

struct Setting {
  std::string name;
  Settings settings;
  double error;           // relative, at most; of zeros it would be 1
  double error_of_equal;  // where all weights are equal: sides may be padded by zeros
};

class Shapes : public testing::TestWithParam<Setting> {};

// Compresses and decodes tensors of all shapes; returns the largest relative error of those that
// are compressed.
double round_trip(const Settings& settings, DType dtype, Values kind) {
  const test::TempDir dir;
  const std::string input = dir / "in.safetensors", archive = dir / "a.h5";
  const std::string back = dir / "back.safetensors";
  const std::vector<TensorInfo> tensors = tensors_of(dtype);
  write(input, tensors, kind);
  compress(input, archive, {.defaults = settings});
  decode_archive(archive, back, "", false);
  const auto reader = open_weights(back);
  std::vector<TensorInfo> decoded;
  for (const TensorInfo& info : reader->tensors()) decoded.push_back(test::without_layout(info));
  EXPECT_EQ(decoded, tensors);
  const Report of_archive = evaluate(input, archive), of_decoded = evaluate(input, back);
  double largest = 0;
  std::size_t n_compressed = 0;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorReport& tensor = of_archive.tensors.at(i);
    const double error = tensor.distortion->relative_error();
    EXPECT_EQ(of_decoded.tensors.at(i).distortion->relative_error(), error) << i;
    if (!tensor.compressed()) {
      EXPECT_EQ(error, 0) << to_string(tensor.info.shape);
      continue;
    }
    ++n_compressed;
    EXPECT_TRUE(std::isfinite(error)) << to_string(tensor.info.shape);
    largest = std::max(largest, error);
  }
  EXPECT_GT(n_compressed, 5u);
  return largest;
}

TEST_P(Shapes, ComeBackInEveryTypeWithinTheErrorOfTheirCodec) {
  for (const DType dtype : {DType::kF16, DType::kBF16, DType::kF32, DType::kF64}) {
    EXPECT_LE(round_trip(GetParam().settings, dtype, Values::kNormal), GetParam().error)
        << to_string(dtype);
  }
}

TEST_P(Shapes, OfEqualWeightsComeBackAsSuch) {
  EXPECT_EQ(round_trip(GetParam().settings, DType::kF32, Values::kZero), 0);
  EXPECT_LE(round_trip(GetParam().settings, DType::kF32, Values::kEqual),
            GetParam().error_of_equal);
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, Shapes,
    testing::Values(
        // Without a gain that raises it.
        Setting{"pq",
                {{"codec", "pq"},
                 {"block_size", "auto"},
                 {"centroids", "16"},
                 {"restarts", "1"},
                 {"iterations", "5"},
                 {"gain", "least_squares"}},
                0.65,
                0},
        Setting{"pq_in_groups",
                {{"codec", "pq"},
                 {"centroids", "4"},
                 {"block_size", "3"},
                 {"groups", "2"},
                 {"iterations", "5"},
                 {"gain", "least_squares"}},
                0.6,
                0},
        Setting{"pq_in_groups_that_pay",
                {{"codec", "pq"},
                 {"centroids", "4"},
                 {"block_size", "3"},
                 {"groups", "auto"},
                 {"iterations", "5"},
                 {"gain", "least_squares"}},
                0.6,
                0},
        Setting{"pq_unbiased",
                {{"codec", "pq"}, {"centroids", "4"}, {"groups", "2"}, {"iterations", "5"}},
                1,
                0},
        // Thin tensors are int8.
        Setting{"default", {{"centroids", "16"}, {"restarts", "1"}, {"iterations", "5"}}, 0.65, 0},
        Setting{"int8", {{"codec", "int8"}}, 2e-4, 1e-12},
        Setting{"int8_affine",
                {{"codec", "int8"}, {"scheme", "affine"}, {"per", "tensor"}},
                2e-4,
                1e-12},
        Setting{"low_rank", {{"codec", "low_rank"}}, 0.8, 1e-12},
        Setting{"low_rank_of_pq",
                {{"codec", "low_rank"}, {"factors.codec", "pq"}, {"factors.centroids", "16"}},
                0.95,
                1e-5},
        Setting{"tt", {{"codec", "tensorized"}, {"form", "tt"}}, 0.95, 0.1},
        Setting{"ttm", {{"codec", "tensorized"}, {"form", "ttm"}}, 0.95, 0.1},
        Setting{"tucker", {{"codec", "tensorized"}, {"form", "tucker"}}, 0.95, 0.1},
        Setting{"cp", {{"codec", "tensorized"}, {"form", "cp"}}, 0.95, 0.1}),
    [](const auto& setting) { return setting.param.name; });

}  // namespace
}  // namespace pqw
