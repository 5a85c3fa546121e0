// Tensors of every kind of values, as far as the limits of their types, through every codec: what
// is decoded is finite and closer to the tensor than zeros are, and a dry run tells the size on
// disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>

#include "compress/worth.h"
#include "model/archive_tensors.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/foreseen.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

constexpr DType kTypes[] = {DType::kF16, DType::kBF16, DType::kF32, DType::kF64};

double largest_of(DType dtype) {
  if (dtype == DType::kF16) return 65504;
  return dtype == DType::kBF16 ? 0x1.fep127 : std::numeric_limits<float>::max();
}

double smallest_normal_of(DType dtype) { return dtype == DType::kF16 ? 0x1p-14 : 0x1p-126; }

struct Kind {
  std::string name;
  std::function<double(std::size_t row, std::size_t col, double normal)> value;  // times `unit`
  std::function<double(DType)> unit;
};

double one(DType) { return 1; }
double in_range(double value) { return std::clamp(value, -1.0, 1.0); }

const std::vector<Kind> kKinds = {
    {"normal", [](auto, auto, double z) { return 0.05 * z; }, one},
    {"zeros", [](auto, auto, double) { return 0.0; }, one},
    {"equal", [](auto, auto, double) { return -0.625; }, one},
    {"full range", [](auto, auto, double z) { return in_range(0.7 * z); }, largest_of},
    {"half range", [](auto, auto, double z) { return 0.5 * in_range(0.3 * z); }, largest_of},
    {"1e-4", [](auto, auto, double z) { return 1e-4 * z; }, one},
    {"1e-30", [](auto, auto, double z) { return 1e-30 * z; }, one},
    {"1e-40", [](auto, auto, double z) { return 1e-40 * z; }, one},
    {"smallest normal", [](auto, auto, double z) { return z; }, smallest_normal_of},
    {"subnormal", [](auto, auto, double z) { return 0.01 * z; }, smallest_normal_of},
    {"smallest float", [](auto, auto, double z) { return 1.5e-45 * z; }, one},
    {"one value", [](auto r, auto c, double) { return r == 3 && c == 5 ? 1.0 : 0.0; }, largest_of},
    {"rank 1", [](auto r, auto c, double) { return 0.1 * double(1 + r % 7) * double(c % 5); }, one},
    {"few values", [](auto, auto, double z) { return z < -0.5  ? -0.1
                                                     : z < 0.5 ? 0.0
                                                               : 0.2; }, one},
    {"sparse", [](auto, auto, double z) { return z > 1.5 ? z : 0.0; }, one},
    {"signs", [](auto, auto, double z) { return z < 0 ? -1.0 : 1.0; }, one},
    {"columns over 1e9",
     [](auto, auto c, double z) { return z * std::pow(10, double(c % 10) - 6); }, one},
    {"rows over 1e9", [](auto r, auto, double z) { return z * std::pow(10, double(r % 10) - 6); },
     one},
    {"huge and tiny", [](auto r, auto, double z) { return r == 0 ? in_range(z) : 1e-30 * z; },
     largest_of}};

const std::vector<Shape> kShapes = {{48, 40}, {24, 3, 3, 3}, {1, 700}};

std::vector<TensorInfo> tensors_of(DType dtype) {
  std::vector<TensorInfo> tensors;
  for (const Kind& kind : kKinds) {
    for (const Shape& shape : kShapes) {
      tensors.push_back({kind.name + " " + to_string(shape), dtype, shape});
    }
  }
  return tensors;
}

// The double nearest to a value of the type: infinite weights would be refused.
std::vector<std::byte> bytes_of(const TensorInfo& info, const Kind& kind) {
  const auto normal = test::normal_values(element_count(info.shape), 7);
  const std::size_t cols = normal.size() / info.shape[0];
  std::vector<float> values;
  for (std::size_t i = 0; i < normal.size(); ++i) {
    const double value = kind.value(i / cols, i % cols, normal[i]) * kind.unit(info.dtype);
    values.push_back(static_cast<float>(value));
  }
  std::vector<std::byte> bytes(byte_count(info));
  from_float(values, info.dtype, bytes);
  return bytes;
}

void write(const std::string& path, const std::vector<TensorInfo>& tensors) {
  const auto writer = create_weights(path, tensors, {}, {.overwrite = true});
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    writer->add(bytes_of(tensors[i], kKinds[i / kShapes.size()]));
  }
  writer->commit();
}

class Extremes : public testing::TestWithParam<std::tuple<const char*, DType>> {
 protected:
  void SetUp() override { omp_set_num_threads(1); }  // small tensors by the hundred
  void TearDown() override { omp_set_num_threads(omp_get_num_procs()); }

  Settings settings() const { return parse_settings(std::get<0>(GetParam())); }
  DType dtype() const { return std::get<1>(GetParam()); }
};

TEST_P(Extremes, AreFiniteAndNotLostAndADryRunTellsTheSize) {
  const test::TempDir dir;
  const std::string input = dir / "in.safetensors", archive = dir / "a.h5";
  const std::vector<TensorInfo> tensors = tensors_of(dtype());
  write(input, tensors);
  const Recipe recipe{.defaults = settings()};
  const Report report = compress(input, archive, recipe);
  const auto decoded = open_decoded(archive);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorReport& tensor = report.tensors[i];
    std::vector<float> values(element_count(tensors[i].shape));
    const std::vector<std::byte> bytes = decoded->read(i);
    to_float(bytes, dtype(), values);
    for (const float value : values) ASSERT_TRUE(std::isfinite(value)) << tensors[i].name;
    EXPECT_LT(tensor.distortion->relative_error(), 1) << tensors[i].name;
  }
  const Report plan = plan_compression(input, recipe);
  EXPECT_EQ(report.file_bytes, std::filesystem::file_size(archive));
  test::expect_foreseen(plan, report);
}

// A tensor alone in a file: what becomes of it, and that a dry run says so.
class OneTensor : public testing::Test {
 protected:
  template <class T>
  TensorReport compressed(DType dtype, const Shape& shape, const std::vector<T>& values,
                          const std::string& settings) const {
    const TensorInfo info{"w", dtype, shape};
    const auto writer = create_weights(input_, std::vector{info}, {}, {.overwrite = true});
    writer->add(std::as_bytes(std::span(values)));
    writer->commit();
    const Recipe recipe{.defaults = parse_settings(settings)};
    const Report report = compress(input_, archive_, recipe, {.overwrite = true});
    const Report plan = plan_compression(input_, recipe);
    test::expect_foreseen(plan, report, settings);
    return report.tensors[0];
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "in.safetensors", archive_ = dir_ / "a.h5";
};

TEST_F(OneTensor, ErrorsDoNotDependOnTheUnitOfItsWeights) {
  const auto normal = test::normal_values(64 * 48, 1);
  for (const char* settings :
       {"centroids=16,codebook=f32", "codec=int8", "codec=int8,scheme=affine", "codec=tcq",
        "codec=low_rank",
        "codec=low_rank,factors.codec=pq,factors.block_size=1,factors.centroids=64,"
        "factors.codebook=f32",
        "codec=tensorized,rank=0.3", "codec=tensorized,form=ttm,rank=0.3",
        "codec=tensorized,form=tucker,rank=0.3", "codec=tensorized,form=cp,rank=0.3"}) {
    const auto error = [&](float unit) {
      std::vector<float> values = normal;
      for (float& value : values) value *= unit;
      return compressed(DType::kF32, {64, 48}, values, settings).distortion->relative_error();
    };
    const double expected = error(1);
    EXPECT_GT(expected, 0);
    for (const float unit : {0x1p-130f, 0x1p-100f, 0x1p60f, 0x1p125f}) {
      // Weights of 2^-130 are multiples of 2^-149 themselves.
      EXPECT_NEAR(error(unit) / expected, 1, 0.02) << settings << " times " << unit;
    }
  }
}

// Rows of zeros beside a weight near the limit of its type.
TEST_F(OneTensor, OfOneWeightIsExactHoweverLarge) {
  for (const float largest : {1e-40f, 1.0f, 1e30f, 3e38f}) {
    std::vector<float> values(64 * 48);
    values[3 * 48 + 5] = largest;
    for (const char* settings :
         {"centroids=2", "codec=int8", "codec=low_rank", "codec=tensorized,rank=0.4",
          "codec=tensorized,form=ttm,rank=0.4", "codec=tensorized,form=tucker,rank=0.4",
          "codec=tensorized,form=cp,rank=0.4"}) {
      const TensorReport report = compressed(DType::kF32, {64, 48}, values, settings);
      EXPECT_NE(report.codec, "plain") << settings << " " << largest << ": " << report.note;
      EXPECT_LT(report.distortion->relative_error(), 1e-6) << settings << " " << largest;
    }
  }
}

TEST_F(OneTensor, OfDoublesIsMeasuredInDoubles) {
  // Two blocks, which are centroids: as floats they are exact.
  std::vector<double> values;
  for (std::size_t i = 0; i < 40 * 40; ++i) values.push_back(i / 8 % 2 == 0 ? 1 + 0x1p-30 : -1);
  const TensorReport report = compressed(DType::kF64, {40, 40}, values, "codec=pq,centroids=4");
  EXPECT_EQ(report.codec, "pq");
  EXPECT_DOUBLE_EQ(report.distortion->max_abs_error(), 0x1p-30);
}

TEST_F(OneTensor, OfDoublesThatFloatsDoNotReachStaysPlainOrIsAnError) {
  std::vector<double> values(40 * 40, 1e-60);
  const TensorReport report = compressed(DType::kF64, {40, 40}, values, "codec=int8");
  EXPECT_EQ(report.codec, "plain");
  EXPECT_EQ(report.note, "has only weights below the range of float");
  values.assign(40 * 40, 1e300);
  EXPECT_THROW(compressed(DType::kF64, {40, 40}, values, "codec=int8"), Error);
  EXPECT_EQ(compressed(DType::kF64, {40, 40}, values, "codec=int8,non_finite=plain").codec,
            "plain");
}

TEST(FaultOf, AWeightOfWhichAlmostNothingIsLeftIsLost) {
  const auto fault_at = [](float left) {
    const float original = 1;
    Distortion distortion;
    distortion.add(std::span(&original, 1), std::span<const float>(&left, 1));
    return fault_of(distortion, PqOptions());
  };
  EXPECT_EQ(fault_at(1e-4f), "") << "(1 - 0.0001)^2 = 0.9998";
  EXPECT_EQ(fault_at(1e-5f), "pq: relative error 1") << "0.99998, in three digits";
  EXPECT_EQ(fault_at(-0.1f), "pq: relative error 1.21");
}

TEST_F(OneTensor, WhoseEncodingIsNoCloserThanZerosFallsBackOrStaysPlain) {
  // Factors of noise by factors of a quarter of their rank: what they lose multiplies. How much that
  // is depends on the BLAS kernels of the processor: the factors are as good in many directions.
  const auto values = test::normal_values(100 * 50, 1);
  const std::string settings = "codec=low_rank,rank=16,factors.codec=low_rank,factors.rank=4";
  const auto note = testing::MatchesRegex("low_rank: relative error [1-9]\\.[0-9]*");
  TensorReport report = compressed(DType::kF32, {100, 50}, values, settings);
  EXPECT_EQ(report.codec, "plain");
  EXPECT_THAT(report.note, note);
  EXPECT_EQ(report.distortion->relative_error(), 0);
  report = compressed(DType::kF32, {100, 50}, values, settings + ",fallback.codec=int8");
  EXPECT_EQ(report.codec, "int8");
  EXPECT_THAT(report.note, note);
  EXPECT_LT(report.distortion->relative_error(), 1e-3);
  report = compressed(DType::kF32, {100, 50}, values,
                      settings +
                          ",fallback.codec=low_rank,fallback.rank=16,"
                          "fallback.factors.codec=low_rank,fallback.factors.rank=4");
  EXPECT_EQ(report.codec, "plain");
  EXPECT_THAT(report.note, testing::MatchesRegex("low_rank: .*; low_rank: relative error [1-9].*"));
}

TEST_F(OneTensor, OfPlaceholdersIsTakenAlthoughItIsZeros) {
  const auto values = test::normal_values(100 * 50, 1);
  for (const char* factors : {"", ",factors.codec=pq", ",factors.codec=int8"}) {
    const TensorReport report = compressed(DType::kF32, {100, 50}, values,
                                           std::string("codec=low_rank,init=zeros") + factors);
    EXPECT_EQ(report.codec, "low_rank");
    EXPECT_EQ(report.note, "init=zeros: factors of zeros, to be trained");
    EXPECT_EQ(report.distortion->relative_error(), 1);
  }
}

constexpr const char* kSettings[] = {
    "centroids=16,restarts=1",
    "centroids=37,block_size=3,groups=5,codebook=f32,restarts=1",
    "centroids=4,iterations=1,restarts=1",
    "centroids=2,block_size=40,iterations=0",
    "centroids=16,init=random,restarts=1",
    "centroids=16,engine=faiss,restarts=1",
    "codec=int8",
    "codec=int8,scheme=affine,per=tensor",
    "codec=tcq",
    "codec=tcq,bits=2,lambda=0.3,scales=none,gain=least_squares",
    "codec=low_rank,dim_ratio=0.3",
    "codec=low_rank,energy=0.7",
    "codec=low_rank,rank=1",
    "codec=low_rank,dim_ratio=0.4,factors.codec=pq,factors.block_size=2,factors.centroids=16,"
    "factors.restarts=1",
    "codec=low_rank,dim_ratio=0.4,factors.codec=pq,factors.block_size=8,factors.centroids=2,"
    "factors.restarts=1,fallback.centroids=16,fallback.restarts=1",
    "codec=low_rank,dim_ratio=0.4,factors.codec=int8",
    "codec=low_rank,dim_ratio=0.4,factors.codec=low_rank,factors.dim_ratio=0.5",
    "codec=tensorized,rank=0.3",
    "codec=tensorized,form=ttm,rank=0.3",
    "codec=tensorized,form=tucker,rank=0.3",
    "codec=tensorized,form=cp,rank=0.3,iterations=5",
    "codec=tensorized,form=cp,rank=0.3,iterations=0",
    "codec=tensorized,rank=0.5,factors.codec=int8",
    "codec=tensorized,rank=0.5,factors.codec=pq,factors.block_size=2,factors.centroids=16,"
    "factors.restarts=1",
    "codec=tensorized,form=ttm,rank=0.5,factors.codec=pq,factors.block_size=2,"
    "factors.centroids=16,factors.restarts=1",
    "codec=tensorized,form=tucker,rank=0.5,iterations=3,factors.codec=pq,factors.block_size=2,"
    "factors.centroids=16,factors.restarts=1,fallback.codec=int8",
    "codec=tensorized,form=cp,rank=0.5,iterations=3,factors.codec=pq,factors.block_size=2,"
    "factors.centroids=16,factors.restarts=1",
    "codec=tensorized,rank=0.3,joint=all,fallback.codec=int8",
    "codec=tensorized,rank=0.3,joint=all,factors.codec=pq,factors.block_size=1,"
    "factors.centroids=16,factors.restarts=1"};

INSTANTIATE_TEST_SUITE_P(Codecs, Extremes,
                         testing::Combine(testing::ValuesIn(kSettings), testing::ValuesIn(kTypes)),
                         [](const auto& test) {
                           std::string name = std::get<0>(test.param);
                           std::ranges::replace_if(
                               name, [](char c) { return std::isalnum(c) == 0; }, '_');
                           return name + "_" + std::string(to_string(std::get<1>(test.param)));
                         });

}  // namespace
}  // namespace pqw
