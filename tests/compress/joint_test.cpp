// Whole files with tensors that are the layers of one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include "compress/plan.h"
#include "compress/tensor_settings.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/encode.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/formats/weight_file.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/compress/interruption.h"
#include "tests/support/file_content.h"
#include "tests/support/foreseen.h"
#include "tests/support/random_matrix.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;
using testing::HasSubstr;

std::string message_of(const auto& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidArgument);
    return error.what();
  }
  return "";
}

using Observer = test::CountingObserver;
using test::Interruption;

// a.0, other, a.1, b.0, a.2, b.1: groups of three and of two, and a tensor between them.
class JointFiles : public testing::Test {
 protected:
  void SetUp() override { write_input(infos_, 1); }
  void TearDown() override { omp_set_num_threads(omp_get_num_procs()); }

  // Values that differ from tensor to tensor; `spoilt` has a NaN, the values of `faint` are small.
  void write_input(const std::vector<TensorInfo>& infos, unsigned seed,
                   const std::string& spoilt = "", const std::string& faint = "") const {
    const auto writer = create_weights(input_, infos, {}, {.overwrite = true});
    for (const TensorInfo& info : infos) {
      auto values = test::normal_values(element_count(info.shape), seed++);
      if (info.name == spoilt) values[5] = std::numeric_limits<float>::quiet_NaN();
      for (float& value : values) value *= info.name == faint ? 1e-4f : 1;
      std::vector<std::byte> bytes(byte_count(info));
      from_float(values, info.dtype, bytes);
      writer->add(bytes);
    }
    writer->commit();
  }

  Recipe recipe(const std::string& more = "") const {
    return {.rules = {{"^[ab]", parse_settings("codec=tensorized,rank=0.3,joint=x" + more)},
                      {".", parse_settings("codec=pq,block_size=8,centroids=16,iterations=1")}}};
  }

  std::vector<FloatTensor> layers_of(const std::string& prefix) const {
    std::vector<FloatTensor> layers;
    const auto reader = open_weights(input_);
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
      const TensorInfo& info = reader->tensors()[i];
      if (!info.name.starts_with(prefix)) continue;
      layers.push_back(read_floats(info, reader->read(i)));
    }
    return layers;
  }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "net.safetensors";
  const std::string archive_ = dir_ / "net.h5";
  const std::vector<TensorInfo> infos_{
      {"a.0", DType::kF32, {48, 40}}, {"other", DType::kF32, {64, 64}},
      {"a.1", DType::kF32, {48, 40}}, {"b.0", DType::kF32, {40, 54}},
      {"a.2", DType::kF32, {48, 40}}, {"b.1", DType::kF32, {40, 54}}};
};

TEST_F(JointFiles, PlanGroupsWhatIsAlike) {
  using Groups = std::vector<std::vector<std::size_t>>;
  const auto groups = [](const std::vector<TensorInfo>& infos, const Recipe& of) {
    Groups tensors;
    for (const WorkItem& item : make_plan(infos, of)) tensors.push_back(item.tensors);
    return tensors;
  };
  EXPECT_EQ(groups(infos_, recipe()), (Groups{{0, 2, 4}, {1}, {3, 5}}));
  auto infos = infos_;
  infos[2].dtype = DType::kF16;
  infos[3].shape = {54, 40};
  EXPECT_EQ(groups(infos, recipe()), (Groups{{0, 4}, {1}, {2}, {3}, {5}}));
  for (const char* other :
       {"joint=y", "rank=0.2", "factors.codec=pq", "fallback.codec=pq", "non_finite=plain"}) {
    Recipe mixed = recipe();
    mixed.rules.insert(mixed.rules.begin(),
                       {"a.1", layered(mixed.rules[0].settings, parse_settings(other))});
    EXPECT_EQ(groups(infos_, mixed), (Groups{{0, 4}, {1}, {2}, {3, 5}})) << other;
  }
  Recipe excluding = recipe();
  excluding.exclude = {"a.0"};
  EXPECT_EQ(groups(infos_, excluding), (Groups{{0}, {1}, {2, 4}, {3, 5}}));
}

TEST_F(JointFiles, LayersDecodeToWhatEncodingThemTogetherGives) {
  for (const char* form : {"tt", "tucker,iterations=3", "cp,iterations=3"}) {
    for (const char* factors :
         {"", ",factors.codec=pq,factors.block_size=1,factors.centroids=16"}) {
      const std::string more = std::string(",form=") + form + factors;
      const Report report = compress(input_, archive_, recipe(more), {.overwrite = true});
      EXPECT_EQ(verify(archive_), infos_.size());
      const Model model(archive_);
      for (const char* prefix : {"a.", "b."}) {
        const auto layers = layers_of(prefix);
        const CodecOptions options =
            resolved(options_from(recipe(more).rules[0].settings), layers[0].info.shape);
        const auto expected = encode_joint(layers, std::get<TensorizedOptions>(options));
        for (std::size_t l = 0; l < layers.size(); ++l) {
          const MatrixShape matrix = matrix_shape(layers[l].info.shape);
          std::vector<float> values(matrix.rows * matrix.cols);
          TensorizedCodec::decode_rows(expected[l], 0, {values.data(), matrix.rows, matrix.cols});
          EXPECT_EQ(model.decode(layers[l].info.name), values) << more;
        }
      }
      EXPECT_EQ(evaluate(input_, archive_).distortion()->relative_error(),
                report.distortion()->relative_error());
    }
  }
}

TEST_F(JointFiles, ServedProductsAreThoseOfTheDecodedLayers) {
  compress(input_, archive_, recipe());
  const Model model(archive_);
  for (const TensorInfo& info : infos_) {
    const std::size_t rows = info.shape[0], cols = info.shape[1];
    const std::vector<float> w = model.decode(info.name);
    const auto x = test::normal_values(3 * cols, 9);
    std::vector<float> y(3 * rows);
    model.linear(info.name).forward({x.data(), 3, cols}, {y.data(), 3, rows});
    for (std::size_t i = 0; i < y.size(); ++i) {
      double expected = 0;
      for (std::size_t c = 0; c < cols; ++c) {
        expected += double{x[i / rows * cols + c]} * double{w[i % rows * cols + c]};
      }
      // Of `other`, which is pq, by integer tables.
      ASSERT_NEAR(y[i], expected, info.name == "other" ? 2 : 1e-3) << info.name;
    }
  }
}

TEST_F(JointFiles, ReportTellsWhatEachLayerStoresAndADryRunTellsTheSame) {
  for (const char* more :
       {"", ",rank=3,form=cp", ",factors.codec=pq,factors.block_size=1,factors.centroids=16",
        ",fallback.codec=pq", ",rank=same,fallback.codec=pq"}) {
    const Report report = compress(input_, archive_, recipe(more), {.overwrite = true});
    const Report plan = plan_compression(input_, recipe(more));
    EXPECT_EQ(report.file_bytes, std::filesystem::file_size(archive_));
    test::expect_foreseen(plan, report, more);
    const Report stored = inspect(archive_);
    std::uint64_t bytes = 0;
    for (const std::size_t i : {0, 2, 4}) {
      EXPECT_EQ(stored.tensors[i].bytes, report.tensors[i].bytes) << more;
      bytes += report.tensors[i].bytes;
    }
    EXPECT_LT(bytes, 3 * report.tensors[0].original_bytes());
    EXPECT_GE(report.tensors[0].bytes, report.tensors[4].bytes);
  }
  const Report report = compress(input_, archive_, recipe(), {.overwrite = true});
  EXPECT_EQ(report.tensors[0].note, "joint: has the factors of 3 layers");
  EXPECT_EQ(report.tensors[4].note, "joint: factors of tensor 'a.0'");
  EXPECT_THAT(report.tensors[4].settings, HasSubstr("layer=2/3"));
}

TEST_F(JointFiles, BytesAreTheSameOnAnyNumberOfThreads) {
  const std::string more =
      ",form=cp,iterations=3,factors.codec=pq,factors.block_size=1,factors.centroids=16";
  omp_set_num_threads(1);
  compress(input_, archive_, recipe(more));
  omp_set_num_threads(3);
  compress(input_, dir_ / "other.h5", recipe(more));
  EXPECT_TRUE(content(dir_ / "other.h5") == content(archive_));
}

TEST_F(JointFiles, AGroupThatWouldNotShrinkGoesItsOwnWays) {
  // A full rank has more parameters than the matrices.
  Report report = compress(input_, archive_, recipe(",rank=4000"), {.overwrite = true});
  for (const std::size_t i : {0, 2, 3, 4, 5}) {
    EXPECT_EQ(report.tensors[i].codec, "plain");
    EXPECT_EQ(report.tensors[i].note, "would not shrink");
  }
  EXPECT_EQ(plan_compression(input_, recipe(",rank=4000")).file_bytes, report.file_bytes);
  const Recipe falling = recipe(",rank=4000,fallback.codec=pq,fallback.centroids=16");
  report = compress(input_, archive_, falling, {.overwrite = true});
  for (const TensorReport& tensor : report.tensors) EXPECT_EQ(tensor.codec, "pq");
  test::expect_foreseen(plan_compression(input_, falling), report);
  EXPECT_EQ(verify(archive_), infos_.size());
}

TEST_F(JointFiles, ALayerThatIsNotFiniteIsAnErrorOrDissolvesItsGroup) {
  write_input(infos_, 1, "a.1");
  try {
    compress(input_, archive_, recipe(), {.overwrite = true});
    FAIL() << "NaN was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kNonFinite);
    EXPECT_THAT(error.what(), HasSubstr("'a.1'"));
  }
  EXPECT_THROW(plan_compression(input_, recipe()), Error);
  Report report = compress(input_, archive_, recipe(",non_finite=plain"), {.overwrite = true});
  EXPECT_EQ(report.tensors[0].note, "a joint layer holds NaN or infinity");
  EXPECT_EQ(report.tensors[2].note, "holds NaN or infinity");
  EXPECT_THAT(report.tensors[3].note, HasSubstr("joint: has the factors of 2 layers"));
  EXPECT_EQ(plan_compression(input_, recipe(",non_finite=plain")).file_bytes, report.file_bytes);
  const Recipe falling = recipe(",non_finite=plain,fallback.codec=pq,fallback.centroids=16");
  report = compress(input_, archive_, falling, {.overwrite = true});
  EXPECT_EQ(report.tensors[0].codec, "pq");
  EXPECT_EQ(report.tensors[2].codec, "plain");
  EXPECT_EQ(report.tensors[4].codec, "pq");
  EXPECT_EQ(report.tensors[5].codec, "tensorized");
  test::expect_foreseen(plan_compression(input_, falling), report);
}

// A constant layer and noise of 1e-18 that it drowns: whether the group holds is known only when
// its factors are.
TEST_F(JointFiles, ADryRunForeseesThatAFaintLayerDissolvesItsGroup) {
  const std::vector<TensorInfo> infos{{"a.0", DType::kF32, {128, 64}},
                                      {"a.1", DType::kF32, {128, 64}}};
  const auto writer = create_weights(input_, infos, {}, {.overwrite = true});
  std::vector<float> values;
  for (std::size_t i = 0; i < 128 * 64; ++i) values.push_back(i % 2 == 0 ? -1.0f : 1.0f);
  writer->add(std::as_bytes(std::span(values)));
  values = test::normal_values(128 * 64, 1);
  for (float& value : values) value *= 1e-18f;
  writer->add(std::as_bytes(std::span(values)));
  writer->commit();
  const Recipe joint{.defaults = parse_settings("codec=tensorized,joint=x")};
  const Report report = compress(input_, archive_, joint, {.overwrite = true});
  const Report plan = plan_compression(input_, joint);
  EXPECT_EQ(report.file_bytes, std::filesystem::file_size(archive_));
  EXPECT_EQ(plan.file_bytes, report.file_bytes);
  EXPECT_THAT(report.tensors[0].note, HasSubstr("a joint layer: tensorized: relative error "));
  EXPECT_EQ(plan.tensors[0].note, report.tensors[0].note);
}

TEST_F(JointFiles, ATensorLikeNoOtherIsEncodedByItself) {
  Recipe alone{.rules = {{"other", parse_settings("codec=tensorized,rank=0.3,joint=x")},
                         {".", {{"codec", "plain"}}}}};
  const Report report = compress(input_, archive_, alone, {.overwrite = true});
  EXPECT_EQ(report.tensors[1].codec, "tensorized");
  EXPECT_THAT(report.tensors[1].settings, Not(HasSubstr("layer")));
  EXPECT_EQ(plan_compression(input_, alone).file_bytes, report.file_bytes);
}

TEST_F(JointFiles, RanksOneByOneCountThoseOfTheLayersToo) {
  // Modes 3 layers, 6 x 8, 5 x 8: four ranks between them.
  const std::string more = ",out=6x8,in=5x8,rank=3x8x10x8";
  Recipe of_a = recipe(more);
  of_a.rules[0].pattern = "^a";
  const Report report = compress(input_, archive_, of_a, {.overwrite = true});
  EXPECT_THAT(report.tensors[0].settings, HasSubstr("rank=3x8x10x8"));
  of_a.rules[0].pattern = "^a.0";
  EXPECT_THAT(message_of([&] { make_plan(infos_, of_a); }), HasSubstr("tensor 'a.0'"));
}

TEST(JointLabel, IsCheckedWithTheOptions) {
  const auto message = [](const std::string& settings) {
    return message_of([&] { check_settings(parse_settings(settings)); });
  };
  EXPECT_EQ(message("codec=tensorized,joint=ffn_1.a-B"), "");
  EXPECT_EQ(message("codec=tensorized,joint="), "");
  EXPECT_THAT(message("codec=tensorized,joint=a b"), HasSubstr("joint=a b: expected"));
  EXPECT_THAT(message("codec=tensorized,form=ttm,joint=a"), HasSubstr("joint=a: expected form cp"));
  EXPECT_THAT(message("codec=tensorized,joint=a,form=ttm"), HasSubstr("joint=a: expected form cp"));
  EXPECT_THAT(message("codec=pq,joint=a"), HasSubstr("unknown option 'joint'"));
  EXPECT_THAT(message("codec=pq,fallback.codec=tensorized,fallback.joint=a"),
              HasSubstr("fallback.joint=a"));
  EXPECT_THAT(message("codec=low_rank,factors.codec=tensorized,factors.joint=a"),
              HasSubstr("factors cannot be joint"));
  TensorizedOptions options;
  EXPECT_THAT(to_string(options), Not(HasSubstr("joint")));
  options.joint = "a";
  EXPECT_THAT(to_string(options), testing::EndsWith(",joint=a"));
}

TEST(JointLabel, ARecipeMayGiveTheFormBesideIt) {
  const test::TempDir dir;
  std::ofstream(dir / "r.yaml") << "defaults: {codec: tensorized, form: ttm}\n"
                                   "tensors:\n  - {pattern: a, joint: x, form: tt}\n";
  EXPECT_NO_THROW(check_recipe(read_recipe(dir / "r.yaml")));
  std::ofstream(dir / "r.yaml") << "defaults: {codec: tensorized, form: ttm}\n"
                                   "tensors:\n  - {pattern: a, joint: x}\n";
  EXPECT_THAT(message_of([&] { read_recipe(dir / "r.yaml"); }), HasSubstr("line 3: joint=x"));
}

// An int8 weight whose scale and zero point are no tensors of their own stands before the layers:
// their places in the plan are not those in the file.
TEST_F(JointFiles, LayersBehindAdoptedTensorsAreFound) {
  std::vector<TensorInfo> infos{{"q", DType::kI8, {8, 16}}, {"q_scale", DType::kF32, {8}}};
  infos.insert(infos.end(), infos_.begin(), infos_.end());
  const auto writer = create_weights(input_, infos, {}, {.overwrite = true});
  for (const TensorInfo& info : infos) {
    std::vector<std::byte> bytes(byte_count(info), std::byte{1});
    if (info.dtype == DType::kF32) {
      from_float(std::vector<float>(test::normal_values(element_count(info.shape), 1, 2, 0.1f)),
                 info.dtype, bytes);
    }
    writer->add(bytes);
  }
  writer->commit();
  Recipe adopting = recipe();
  adopting.rules.insert(adopting.rules.begin(), {"^q$", {{"codec", "int8"}}});
  const Report report = compress(input_, archive_, adopting, {.overwrite = true});
  EXPECT_EQ(report.tensors[0].codec, "int8");
  EXPECT_EQ(report.tensors[3].note, "joint: factors of tensor 'a.0'");
  EXPECT_EQ(plan_compression(input_, adopting).file_bytes, report.file_bytes);
  EXPECT_EQ(verify(archive_), infos_.size() + 1);
}

// Layers in batches of their own, with others between them.
class JointResume : public JointFiles {
 protected:
  void SetUp() override {
    for (int i = 0; i < 3; ++i) {
      large_.push_back({"a." + std::to_string(i), DType::kF32, {1025, 512}});
      large_.push_back({"other." + std::to_string(i), DType::kF32, {64, 32}});
    }
    write_input(large_, 1);
  }

  std::string uninterrupted(const Recipe& of) const {
    compress(input_, dir_ / "whole.h5", of, {.overwrite = true});
    return content(dir_ / "whole.h5");
  }

  // Stops after so many tensors.
  void interrupt(const Recipe& of, std::size_t most_done) const {
    std::filesystem::remove_all(archive_ + ".pqw.parts");
    Observer first(most_done);
    EXPECT_THROW(
        compress(input_, archive_, of, {.overwrite = true, .observer = &first, .resume = true}),
        Interruption);
  }

  // Returns how many iterations it took.
  std::size_t resume(const Recipe& of) const {
    Observer second;
    compress(input_, archive_, of, {.overwrite = true, .observer = &second, .resume = true});
    return second.iterations;
  }

  std::vector<TensorInfo> large_;
};

constexpr const char* kQuantized =
    ",rank=8,factors.codec=pq,factors.block_size=1,factors.centroids=8,factors.iterations=2,"
    "factors.restarts=1";

TEST_F(JointResume, GivesTheSameBytesAndTakesTheFactorsThatWereKept) {
  for (const char* more : {kQuantized,
                           ",rank=4000,fallback.codec=pq,fallback.centroids=4,"
                           "fallback.iterations=1,fallback.restarts=1"}) {
    Observer observer;
    compress(input_, dir_ / "whole.h5", recipe(more), {.overwrite = true, .observer = &observer});
    std::size_t before = observer.iterations;
    // Nothing but the owner is done, then another tensor, then a layer that follows it.
    for (const std::size_t most_done : {0, 1, 3}) {
      interrupt(recipe(more), most_done);
      const std::size_t iterations = resume(recipe(more));
      EXPECT_TRUE(content(archive_) == content(dir_ / "whole.h5")) << most_done << more;
      EXPECT_LT(iterations, observer.iterations) << most_done << more;
      EXPECT_LE(iterations, before) << most_done << more;
      before = iterations;
    }
  }
}

// The errors of the other layers, whose factors have four centroids, drown a faint one.
constexpr const char* kBad =
    ",rank=8,factors.codec=pq,factors.centroids=4,factors.iterations=2,factors.restarts=1";

TEST_F(JointResume, AGroupThatWasNotTakenIsNotTakenAgain) {
  write_input(large_, 1, "", "a.2");
  const Recipe falling = recipe(std::string(kBad) +
                                ",fallback.codec=pq,fallback.centroids=4,fallback.iterations=12,"
                                "fallback.restarts=1");
  for (const Recipe& of : {recipe(kBad), falling}) {
    const std::string expected = uninterrupted(of);
    for (const std::size_t most_done : {0, 3}) {
      interrupt(of, most_done);
      resume(of);
      EXPECT_TRUE(content(archive_) == expected) << most_done;
    }
  }
  const Report report = compress(input_, archive_, falling, {.overwrite = true});
  const Report plan = plan_compression(input_, falling);
  EXPECT_EQ(plan.file_bytes, report.file_bytes);
  EXPECT_EQ(report.tensors[0].codec, "pq");
  const Report plain = compress(input_, archive_, recipe(kBad), {.overwrite = true});
  EXPECT_EQ(plain.tensors[0].codec, "plain");
  EXPECT_THAT(plain.tensors[0].note, HasSubstr("a joint layer: tensorized: relative error "));
  EXPECT_EQ(plan_compression(input_, recipe(kBad)).file_bytes, plain.file_bytes);
}

TEST_F(JointResume, FactorsOfOtherLayersAreNotTaken) {
  interrupt(recipe(kQuantized), 1);
  std::fstream file(input_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-(64 * 32 * 4 + 40), std::ios::end);  // in the last layer
  file.put('\0').put('\0').put('\0').put('\x41');  // 8
  file.close();
  resume(recipe(kQuantized));
  EXPECT_TRUE(content(archive_) == uninterrupted(recipe(kQuantized)));
}

// What was kept of layers without a group says nothing of the group, and the other way round.
TEST_F(JointResume, AGroupThatBecameOneOrNoneIsMadeAnew) {
  const Recipe falling = recipe(std::string(kQuantized) +
                                ",non_finite=plain,fallback.codec=pq,fallback.centroids=4,"
                                "fallback.iterations=1,fallback.restarts=1");
  for (const auto& [before, after] : {std::pair("a.2", ""), std::pair("", "a.2")}) {
    write_input(large_, 1, before);
    interrupt(falling, 4);
    write_input(large_, 1, after);
    resume(falling);
    EXPECT_TRUE(content(archive_) == uninterrupted(falling)) << before;
  }
  interrupt(falling, 3);
  Recipe fewer = falling;
  fewer.exclude = {"a.0"};
  resume(fewer);
  EXPECT_TRUE(content(archive_) == uninterrupted(fewer));
}

}  // namespace
}  // namespace pqw
