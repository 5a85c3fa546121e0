// Whole files of tensorized weights, and layers that share factors in an archive.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <omp.h>

#include "model/archive_tensors.h"
#include "pqw/archive/archive.h"
#include "pqw/codecs/encode.h"
#include "pqw/codecs/product.h"
#include "pqw/compress/compress.h"
#include "pqw/core/error.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/decode.h"
#include "pqw/pipeline/evaluate.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/random_tensorized_weight.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;
using testing::HasSubstr;

class TensorizedFiles : public testing::Test {
 protected:
  void SetUp() override {
    test::write_normal_weights(
        input_, {{"fc", DType::kF32, {96, 80}}, {"conv", DType::kF32, {48, 20, 3, 3}}});
  }
  void TearDown() override { omp_set_num_threads(omp_get_num_procs()); }

  const test::TempDir dir_;
  const std::string input_ = dir_ / "net.safetensors";
  const std::string archive_ = dir_ / "net.h5";
};

TEST_F(TensorizedFiles, EveryFormMakesTheRoundTrip) {
  for (const char* form : {"cp", "tucker", "tt", "ttm"}) {
    Recipe recipe{.defaults = parse_settings("codec=tensorized,rank=0.2")};
    recipe.defaults.emplace_back("form", form);
    if (form[0] == 'c') recipe.defaults.emplace_back("iterations", "5");
    recipe.rules = {{"conv", parse_settings("factors.codec=pq,factors.centroids=16")}};
    omp_set_num_threads(1);
    const Report report = compress(input_, archive_, recipe, {.overwrite = true});
    const Report plan = plan_compression(input_, recipe);
    EXPECT_EQ(plan.file_bytes, report.file_bytes) << form;
    for (const TensorReport& tensor : report.tensors) {
      EXPECT_EQ(tensor.codec, "tensorized");
      EXPECT_THAT(tensor.settings, HasSubstr(std::string("form=") + form));
      EXPECT_LT(tensor.distortion->relative_error(), 1);
    }
    EXPECT_THAT(report.tensors[1].settings, HasSubstr("factors=pq"));
    const Report measured = evaluate(input_, archive_);
    EXPECT_EQ(measured.distortion()->relative_error(), report.distortion()->relative_error());
    EXPECT_EQ(measured.tensors[0].settings, report.tensors[0].settings);
    EXPECT_EQ(verify(archive_), 2u);
    EXPECT_EQ(decode_archive(archive_, dir_ / "back.npz", "", true), 2u);
    omp_set_num_threads(3);
    compress(input_, dir_ / "other.h5", recipe, {.overwrite = true});
    EXPECT_TRUE(content(dir_ / "other.h5") == content(archive_)) << form;
  }
}

std::vector<TensorizedWeight> joint_layers() {
  const TensorLayout layout{TensorForm::kTt, {4, 5}, {3, 4}, 3, {3, 6, 5, 3}};
  TensorizedWeight weight = test::random_tensorized_weight({20, 12}, layout);
  std::vector<TensorizedWeight> layers(3, weight);
  for (std::size_t l = 0; l < layers.size(); ++l) layers[l].layer = l;
  return layers;
}

TEST_F(TensorizedFiles, LayersOfAnArchiveShareFactors) {
  const auto layers = joint_layers();
  ArchiveWriter writer(archive_, {});
  writer.add(to_record(layers[0], "block.0"));
  writer.add(to_record_sharing(layers[1], "block.1", "block.0"));
  writer.add(to_record_sharing(layers[2], "block.2", "block.0"));
  writer.commit();
  EXPECT_EQ(verify(archive_), 3u);
  const ArchiveReader reader(archive_);
  const Model model(archive_);
  EXPECT_LT(reader.entries()[1].data_bytes, 200u);
  const auto decoded = open_decoded(archive_);
  for (std::size_t l = 0; l < 3; ++l) {
    const std::string name = "block." + std::to_string(l);
    std::vector<float> expected(20 * 12);
    TensorizedCodec::decode_rows(layers[l], 0, {expected.data(), 20, 12});
    EXPECT_EQ(model.decode(name), expected);
    const auto x = test::normal_values(12, 3);
    std::vector<float> y(20), y_expected(20);
    make_product(model.weight(name))->multiply_rows(0, {x.data(), 1, 12}, {y.data(), 1, 20});
    make_product(layers[l])->multiply_rows(0, {x.data(), 1, 12}, {y_expected.data(), 1, 20});
    EXPECT_EQ(y, y_expected);
    EXPECT_THAT(inspect(archive_).tensors[l].settings,
                HasSubstr("layer=" + std::to_string(l) + "/3"));
  }
}

TEST_F(TensorizedFiles, LayersWithoutTheirFactorsAreRefused) {
  const auto layers = joint_layers();
  TensorizedWeight other = test::random_tensorized_weight({20, 12}, layers[0].layout);
  other.layout.n_layers = 3;
  other.layout.ranks = {2, 6, 5, 3};
  other = test::random_tensorized_weight({20, 12}, other.layout);
  const std::vector<std::pair<std::string, Record>> cases{
      {"nobody", to_record_sharing(layers[1], "b", "nobody")},
      {"itself", to_record_sharing(layers[1], "b", "b")},
      {"plain", to_record_sharing(layers[1], "b", "bias")},
      {"unlike", to_record_sharing(other, "b", "a")}};
  for (const auto& [what, record] : cases) {
    ArchiveWriter writer(archive_, {.overwrite = true});
    writer.add(to_record(layers[0], "a"));
    writer.add(record);
    writer.add_plain({"bias", DType::kF32, {1}}, std::vector<std::byte>(4));
    writer.commit();
    EXPECT_THROW(Model(archive_).weight("b"), Error) << what;
    EXPECT_THROW(verify(archive_), Error) << what;
    EXPECT_NO_THROW(Model(archive_).weight("a")) << what;
  }
}

}  // namespace
}  // namespace pqw
