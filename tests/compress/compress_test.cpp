// Whole files, from weights to archive and back.
#include "pqw/compress/compress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "model/archive_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/file_content.h"
#include "tests/support/foreseen.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;

struct TestTensor {
  TensorInfo info;
  std::vector<std::byte> bytes;
};

TestTensor normal_tensor(std::string name, DType dtype, Shape shape, unsigned seed) {
  TestTensor tensor{{std::move(name), dtype, std::move(shape)}, {}};
  const auto values = test::normal_values(element_count(tensor.info.shape), seed, 0, 0.05f);
  tensor.bytes.resize(byte_count(tensor.info));
  from_float(values, dtype, tensor.bytes);
  return tensor;
}

// A small network with every kind of tensor that behaves differently.
std::vector<TestTensor> network() {
  std::vector<TestTensor> tensors{normal_tensor("conv.weight", DType::kF32, {64, 16, 3, 3}, 1),
                                  normal_tensor("conv.bias", DType::kF32, {64}, 2),
                                  normal_tensor("half.weight", DType::kF16, {128, 100}, 3),
                                  normal_tensor("brain.weight", DType::kBF16, {100, 128}, 4),
                                  normal_tensor("double.weight", DType::kF64, {96, 30}, 5),
                                  normal_tensor("tiny.weight", DType::kF32, {4, 4}, 6),
                                  normal_tensor("depthwise.weight", DType::kF32, {512, 1, 3, 3}, 7),
                                  normal_tensor("conv1d/w", DType::kF32, {64, 40, 5}, 8),
                                  normal_tensor("empty", DType::kF32, {0, 7}, 9),
                                  normal_tensor("scalar", DType::kF32, {}, 10)};
  tensors.push_back({{"steps", DType::kI64, {2}}, std::vector<std::byte>(16, std::byte{7})});
  tensors.push_back({{"zero", DType::kF32, {300, 40}}, std::vector<std::byte>(300 * 40 * 4)});
  return tensors;
}

void write(const std::string& path, const std::vector<TestTensor>& tensors) {
  std::vector<TensorInfo> infos;
  for (const TestTensor& tensor : tensors) infos.push_back(tensor.info);
  const auto writer = create_weights(path, infos, {{"format", "pt"}});
  for (const TestTensor& tensor : tensors) writer->add(tensor.bytes);
  writer->commit();
}

const Recipe kRecipe{.defaults = {{"codec", "pq"}, {"centroids", "32"}}};

class CompressTest : public testing::Test {
 protected:
  void SetUp() override { write(input_, network()); }
  void TearDown() override { omp_set_num_threads(omp_get_num_procs()); }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "net.safetensors";
  const std::string archive_ = dir_ / "net.h5";
};

const TensorReport& find(const Report& report, const std::string& name) {
  const auto found = std::find_if(report.tensors.begin(), report.tensors.end(),
                                  [&](const TensorReport& t) { return t.info.name == name; });
  if (found == report.tensors.end()) throw std::logic_error("no tensor " + name);
  return *found;
}

TEST_F(CompressTest, DecodedFileHasTheOriginalNamesShapesTypesAndMetadata) {
  compress(input_, archive_, kRecipe);
  for (const char* name : {"back.safetensors", "back.npz", "back.h5"}) {
    EXPECT_EQ(decode_archive(archive_, dir_ / name, "", false), network().size());
    const auto original = open_weights(input_);
    const auto decoded = open_weights(dir_ / name);
    for (const TensorInfo& info : original->tensors()) {
      EXPECT_THAT(decoded->tensors(), testing::Contains(info)) << name;
    }
    EXPECT_EQ(decoded->tensors().size(), network().size());
  }
  EXPECT_EQ(open_weights(dir_ / "back.safetensors")->metadata().at("format"), "pt");
}

TEST_F(CompressTest, PlainTensorsAreBitIdentical) {
  const Report report = compress(input_, archive_, kRecipe);
  const auto decoded = open_decoded(archive_);
  std::size_t n_plain = 0;
  for (const TestTensor& tensor : network()) {
    if (find(report, tensor.info.name).compressed()) continue;
    ++n_plain;
    const auto at = std::ranges::find(decoded->tensors(), tensor.info.name, &TensorInfo::name);
    ASSERT_NE(at, decoded->tensors().end()) << tensor.info.name;
    const std::vector<std::byte> bytes =
        decoded->read(static_cast<std::size_t>(at - decoded->tensors().begin()));
    EXPECT_TRUE(std::equal(tensor.bytes.begin(), tensor.bytes.end(), bytes.begin(), bytes.end()))
        << tensor.info.name;
  }
  EXPECT_EQ(n_plain, 5u);  // bias, tiny, empty, scalar, steps
}

TEST_F(CompressTest, TableSaysWhyTensorsArePlainOrSmaller) {
  const Report report = compress(input_, archive_, kRecipe);
  EXPECT_EQ(find(report, "conv.bias").note, "rank below 2");
  EXPECT_EQ(find(report, "tiny.weight").note, "would not shrink");
  EXPECT_EQ(find(report, "empty").note, "no elements");
  EXPECT_EQ(find(report, "zero").settings, "block_size=4,centroids=1");
  EXPECT_EQ(find(report, "zero").note, "only 1 distinct blocks");
  EXPECT_EQ(find(report, "zero").distortion->relative_error(), 0);
  EXPECT_EQ(find(report, "conv1d/w").settings, "block_size=4,centroids=32");
}

TEST_F(CompressTest, ReportedSizeIsTheSizeOnDiskAlsoOfADryRun) {
  const Report plan = plan_compression(input_, kRecipe);
  EXPECT_FALSE(std::filesystem::exists(archive_));
  const Report report = compress(input_, archive_, kRecipe);
  EXPECT_EQ(report.file_bytes, std::filesystem::file_size(archive_));
  test::expect_foreseen(plan, report);
  EXPECT_TRUE(plan.at_most());
  Recipe packed = kRecipe;
  packed.defaults.emplace_back("entropy_coding", "off");
  const Report exact = plan_compression(input_, packed);
  EXPECT_FALSE(exact.at_most());
  test::expect_foreseen(exact, compress(input_, archive_, packed, {.overwrite = true}));
}

TEST_F(CompressTest, ADryRunChoosesTheSameGroups) {
  TestTensor tensor = normal_tensor("w", DType::kF32, {512, 8}, 1);
  auto values = test::normal_values(512 * 8, 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if ((i % 2 == 0) == (i % 8 < 4)) values[i] *= 8;  // the two halves of a row need other blocks
  }
  from_float(values, DType::kF32, tensor.bytes);
  const std::string input = dir_ / "grouped.safetensors";
  write(input, {tensor});
  const Recipe recipe{
      .defaults = {{"codec", "pq"}, {"block_size", "2"}, {"centroids", "16"}, {"groups", "auto"}}};
  const Report plan = plan_compression(input, recipe), report = compress(input, archive_, recipe);
  EXPECT_EQ(report.tensors[0].settings, "block_size=2,centroids=16,groups=2");
  test::expect_foreseen(plan, report);
}

TEST_F(CompressTest, TheFallbackTakesWhatWouldNotShrink) {
  // 512 centroids for single weights are 2048 bytes, and 9 bits for each of the weights.
  const std::string input = dir_ / "small.safetensors";
  write(input, {normal_tensor("gains", DType::kF32, {40, 40}, 1),
                normal_tensor("depthwise.weight", DType::kF32, {64, 1, 3, 3}, 2),
                normal_tensor("tiny.weight", DType::kF32, {4, 4}, 3),
                {{"zero", DType::kF32, {300, 40}}, std::vector<std::byte>(300 * 40 * 4)}});
  const Recipe recipe{.defaults = {{"codec", "pq"},
                                   {"centroids", "512"},
                                   {"block_size", "1"},
                                   {"codebook", "f32"},
                                   {"fallback.block_size", "9"},
                                   {"fallback.centroids", "16"}}};
  const Report report = compress(input, archive_, recipe);
  EXPECT_EQ(find(report, "gains").settings, "block_size=1,centroids=512");
  EXPECT_EQ(find(report, "zero").settings, "block_size=1,centroids=1");
  EXPECT_EQ(find(report, "depthwise.weight").settings, "block_size=9,centroids=16");
  EXPECT_EQ(find(report, "tiny.weight").note, "would not shrink");
  test::expect_foreseen(plan_compression(input, recipe), report);
}

TEST_F(CompressTest, EvalOfTheArchiveAndOfTheDecodedFileAgreeWithTheReport) {
  const Report report = compress(input_, archive_, kRecipe);
  decode_archive(archive_, dir_ / "back.safetensors", "", false);
  const Report archive = evaluate(input_, archive_);
  const Report decoded = evaluate(input_, dir_ / "back.safetensors");
  EXPECT_EQ(report.distortion()->relative_error(), archive.distortion()->relative_error());
  EXPECT_EQ(report.distortion()->relative_error(), decoded.distortion()->relative_error());
  EXPECT_GT(report.distortion()->relative_error(), 0.01);
  EXPECT_EQ(find(archive, "half.weight").distortion->max_abs_error(),
            find(decoded, "half.weight").distortion->max_abs_error());
  EXPECT_EQ(archive.file_bytes, report.file_bytes);
}

TEST_F(CompressTest, BytesAreTheSameOnAnyNumberOfThreads) {
  omp_set_num_threads(1);
  compress(input_, archive_, kRecipe);
  for (const int threads : {2, 3, 4, 8}) {
    omp_set_num_threads(threads);
    compress(input_, dir_ / "other.h5", kRecipe, {.overwrite = true});
    EXPECT_TRUE(content(dir_ / "other.h5") == content(archive_)) << threads << " threads";
  }
}

TEST_F(CompressTest, NaNStopsItAndLeavesNothing) {
  auto tensors = network();
  const std::uint16_t nan = 0x7e00;
  std::memcpy(tensors[2].bytes.data() + 20, &nan, 2);
  write(dir_ / "nan.safetensors", tensors);
  try {
    compress(dir_ / "nan.safetensors", archive_, kRecipe);
    FAIL() << "NaN was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
    EXPECT_THAT(error.what(), testing::HasSubstr("'half.weight'"));
    EXPECT_THAT(error.what(), testing::HasSubstr("index 10"));
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir_.path()),
                          std::filesystem::directory_iterator()),
            2);
  compress(dir_ / "nan.safetensors", archive_, {.defaults = kRecipe.defaults, .exclude = {"half"}});
  EXPECT_EQ(verify(archive_), tensors.size());
}

TEST_F(CompressTest, TensorsThatAreNotFiniteStayAsTheyAreWhereThePolicySaysSo) {
  auto tensors = network();
  const std::uint16_t nan = 0x7e01;  // with a payload
  std::memcpy(tensors[2].bytes.data() + 20, &nan, 2);
  write(dir_ / "nan.safetensors", tensors);
  const Recipe recipe{.defaults = kRecipe.defaults,
                      .rules = {{"half", {{"centroids", "16"}, {"non_finite", "plain"}}}}};
  const Report report = compress(dir_ / "nan.safetensors", archive_, recipe);
  EXPECT_EQ(find(report, "half.weight").codec, "plain");
  EXPECT_EQ(find(report, "half.weight").note, "holds NaN or infinity");
  const ArchiveReader reader(archive_);
  for (std::size_t i = 0; i < reader.entries().size(); ++i) {
    if (reader.entries()[i].info.name != "half.weight") continue;
    EXPECT_TRUE(reader.read_plain(i) == tensors[2].bytes);
  }
  test::expect_foreseen(plan_compression(dir_ / "nan.safetensors", recipe), report);
  const Recipe strict{.defaults = kRecipe.defaults, .rules = {{"half", {{"non_finite", "error"}}}}};
  EXPECT_THROW(compress(dir_ / "nan.safetensors", archive_, strict, {.overwrite = true}), Error);
  EXPECT_THROW(check_settings({{"non_finite", "maybe"}}), Error);
}

TEST_F(CompressTest, ArchivesAreNotCompressedAgain) {
  compress(input_, archive_, kRecipe);
  EXPECT_THROW(compress(archive_, dir_ / "twice.h5", kRecipe), Error);
}

TEST_F(CompressTest, ExistingOutputIsKeptUnlessForced) {
  std::ofstream(archive_) << "precious";
  EXPECT_THROW(compress(input_, archive_, kRecipe), Error);
  EXPECT_EQ(content(archive_), "precious");
  compress(input_, archive_, kRecipe, {.overwrite = true});
  EXPECT_EQ(verify(archive_), network().size());
}

TEST_F(CompressTest, VerifyNoticesAnyChange) {
  compress(input_, archive_, kRecipe);
  const std::string whole = content(archive_);
  for (std::size_t at = 0; at < whole.size(); at += whole.size() / 97) {
    std::string spoilt = whole;
    spoilt[at] = static_cast<char>(spoilt[at] ^ 0x10);
    std::ofstream(archive_, std::ios::binary) << spoilt;
    EXPECT_THROW(verify(archive_), Error) << "byte " << at;
  }
  std::ofstream(archive_, std::ios::binary) << whole;
  EXPECT_NO_THROW(verify(archive_));
}

TEST_F(CompressTest, OneTensorCanBeDecodedAndLoaded) {
  compress(input_, archive_, kRecipe);
  EXPECT_EQ(decode_archive(archive_, dir_ / "one.npy", "^half", false), 1u);
  EXPECT_THROW(decode_archive(archive_, dir_ / "none.npz", "decoder", false), Error);
  EXPECT_THROW(decode_archive(input_, dir_ / "x.npz", "", false), Error) << "no archive";
  const Model model(archive_);
  EXPECT_TRUE(std::holds_alternative<PqWeight>(model.weight("conv.weight")));
  EXPECT_TRUE(std::holds_alternative<PlainWeight>(model.weight("conv.bias")));
  EXPECT_EQ(model.decode("conv.bias").size(), 64u);
  EXPECT_EQ(model.decode("zero"), std::vector<float>(300 * 40));
  EXPECT_THROW(model.decode("steps"), Error);
  EXPECT_THROW(model.weight("none"), Error);
}

TEST_F(CompressTest, EvalRefusesFilesOfOtherTensors) {
  compress(input_, archive_, kRecipe);
  auto tensors = network();
  tensors.pop_back();
  write(dir_ / "fewer.safetensors", tensors);
  EXPECT_THROW(evaluate(dir_ / "fewer.safetensors", archive_), Error);
  EXPECT_THROW(evaluate(input_, dir_ / "fewer.safetensors"), Error);
  tensors = network();
  tensors[0].info.shape = {64, 144};
  write(dir_ / "shape.safetensors", tensors);
  EXPECT_THROW(evaluate(dir_ / "shape.safetensors", archive_), Error);
}

TEST_F(CompressTest, EvalReportsSizesOnDiskAndPlainTensorsThatDiffer) {
  compress(input_, archive_, kRecipe);
  decode_archive(archive_, dir_ / "back.npz", "", false);
  EXPECT_EQ(evaluate(input_, dir_ / "back.npz").file_bytes,
            std::filesystem::file_size(dir_ / "back.npz"));
  auto tensors = network();
  const std::vector<float> bias(64, 1.0f);
  std::memcpy(tensors[1].bytes.data(), bias.data(), tensors[1].bytes.size());
  write(dir_ / "tuned.safetensors", tensors);
  const Report report = evaluate(dir_ / "tuned.safetensors", archive_);
  EXPECT_THAT(find(report, "conv.bias").note, testing::HasSubstr("differs"));
  EXPECT_EQ(find(report, "conv.bias").distortion->squared_norm(), 64);
  EXPECT_EQ(find(report, "scalar").note, "");
}

TEST_F(CompressTest, InspectListsTensorsOfALaterVersion) {
  ArchiveWriter writer(archive_, {});
  writer.add({{"new", DType::kF32, {4, 4}}, "pq", {"residual"}, "", {}});
  writer.add_plain({"old", DType::kU8, {1}}, std::vector<std::byte>(1));
  writer.commit();
  const Report report = inspect(archive_);
  EXPECT_EQ(find(report, "new").codec, "pq");
  EXPECT_THAT(find(report, "new").note, testing::HasSubstr("'residual'"));
  EXPECT_EQ(find(report, "old").codec, "plain");
  EXPECT_THROW(verify(archive_), Error);
}

TEST_F(CompressTest, LowRankReplacesEveryLayerThatGains) {
  // 768 -> 256 -> 128 -> 10 with biases.
  std::vector<TestTensor> tensors{normal_tensor("fc1.weight", DType::kF32, {256, 768}, 1),
                                  normal_tensor("fc1.bias", DType::kF32, {256}, 2),
                                  normal_tensor("fc2.weight", DType::kF32, {128, 256}, 3),
                                  normal_tensor("fc2.bias", DType::kF32, {128}, 4)};
  write(dir_ / "mlp.safetensors", tensors);
  const Recipe recipe{.defaults = {{"codec", "low_rank"}, {"rank", "64"}}};
  const Report report = compress(dir_ / "mlp.safetensors", archive_, recipe);
  // 768*256 + 256 + 256*128 + 128, and 64*(768+256) + 64 + 256 + 64*(256+128) + 64 + 128.
  EXPECT_EQ(report.original_parameters(), 229760u);
  EXPECT_EQ(report.parameters(), 90624u);
  EXPECT_EQ(inspect(archive_).parameters(), 90624u);
  EXPECT_EQ(plan_compression(dir_ / "mlp.safetensors", recipe).file_bytes, report.file_bytes);
  EXPECT_EQ(find(report, "fc1.weight").settings, "rank=64");
  EXPECT_EQ(evaluate(dir_ / "mlp.safetensors", archive_).distortion()->relative_error(),
            report.distortion()->relative_error());

  tensors.push_back(normal_tensor("head.weight", DType::kF32, {100, 128}, 5));
  write(dir_ / "head.safetensors", tensors);
  const Report plain = compress(dir_ / "head.safetensors", archive_, recipe, {.overwrite = true});
  EXPECT_EQ(find(plain, "head.weight").codec, "plain");
  EXPECT_EQ(find(plain, "head.weight").note, "factors of rank 64 are as large as 100 x 128");
  const Recipe fallback{.defaults = {{"codec", "low_rank"},
                                     {"rank", "64"},
                                     {"factors.codec", "pq"},
                                     {"factors.centroids", "32"},
                                     {"fallback.centroids", "16"}}};
  const Report quantized =
      compress(dir_ / "head.safetensors", archive_, fallback, {.overwrite = true});
  EXPECT_EQ(find(quantized, "head.weight").settings, "block_size=4,centroids=16");
  EXPECT_EQ(find(quantized, "fc1.weight").codec, "low_rank");
  test::expect_foreseen(plan_compression(dir_ / "head.safetensors", fallback), quantized);
  EXPECT_EQ(verify(archive_), 5u);
}

TEST_F(CompressTest, ObserverSeesEveryTensor) {
  struct Observer : CompressObserver {
    void on_start(std::size_t n_tensors, std::size_t) override { announced = n_tensors; }
    void on_tensor(const TensorInfo&) override { ++started; }
    void on_iteration(const EmIteration&) override { ++iterations; }
    void on_tensor_done(const TensorReport&) override { ++done; }
    std::size_t announced = 0, started = 0, iterations = 0, done = 0;
  } observer;
  compress(input_, archive_, kRecipe, {.observer = &observer});
  EXPECT_EQ(observer.announced, network().size());
  EXPECT_GE(observer.started, 1u);
  EXPECT_EQ(observer.done, network().size());
  EXPECT_GT(observer.iterations, 10u);
}

}  // namespace
}  // namespace pqw
