// Archives as models in the layout of AQLM.
#include "pqw/pipeline/export_aqlm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "pqw/archive/archive.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"
#include "pqw/formats/weight_file.h"
#include "pqw/model/model.h"
#include "pqw/pipeline/import.h"
#include "tests/support/errors.h"
#include "tests/support/file_content.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class ExportAqlm : public testing::Test {
 protected:
  // With codebooks that are exact in F16.
  static PqWeight half(PqWeight weight) {
    for (float& value : weight.codebooks) value = f16_to_float(float_to_f16(value));
    return weight;
  }

  void write_archive(const std::map<std::string, PqWeight>& weights,
                     const std::string& path = "") const {
    ArchiveWriter writer(path.empty() ? archive_ : path, {.overwrite = true});
    for (const auto& [name, weight] : weights) writer.add(PqCodec::to_record(weight, name));
    const std::vector<float> bias = {1, 2};
    writer.add_plain({"a.bias", DType::kF32, {2}}, std::as_bytes(std::span(bias)));
    writer.commit();
  }

  json config() const { return json::parse(test::content(folder_ + "/config.json")); }

  std::unique_ptr<WeightReader> weights() const {
    return open_weights(folder_ + "/model.safetensors");
  }

  static std::size_t index(const WeightReader& reader, const std::string& name) {
    const auto& infos = reader.tensors();
    const auto found = std::ranges::find(infos, name, &TensorInfo::name);
    EXPECT_NE(found, infos.end()) << name;
    return static_cast<std::size_t>(found - infos.begin());
  }

  static TensorInfo info(const WeightReader& reader, const std::string& name) {
    return reader.tensors()[index(reader, name)];
  }

  static std::vector<float> floats(const WeightReader& reader, const std::string& name) {
    std::vector<float> values(element_count(info(reader, name).shape));
    to_float(reader.read(index(reader, name)), info(reader, name).dtype, values);
    return values;
  }

  template <class T>
  static std::vector<T> integers(const WeightReader& reader, const std::string& name) {
    const std::vector<std::byte> bytes = reader.read(index(reader, name));
    std::vector<T> values(bytes.size() / sizeof(T));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }

  // W[r][c] = scale of the row * sum of codebook[code modulo 2^bits], as AQLM computes it.
  template <class T>
  static void expect_decodes_to(const WeightReader& reader, const PqWeight& weight) {
    const auto codes = integers<T>(reader, "a.codes");
    const auto codebooks = floats(reader, "a.codebooks"), scales = floats(reader, "a.scales");
    const std::size_t n_books = weight.n_additive;
    const auto k = static_cast<int>(codebooks.size() / n_books / weight.block_size);
    for (std::size_t r = 0; r < weight.rows(); ++r) {
      for (std::size_t c = 0; c < weight.cols(); ++c) {
        const std::size_t d = weight.block_size;
        float sum = 0;
        for (std::size_t book = 0; book < n_books; ++book) {
          const int code = codes[(r * weight.positions() + c / d) * n_books + book];
          const std::size_t first = book * static_cast<std::size_t>(k);
          sum += codebooks[(first + static_cast<std::size_t>((code + k) % k)) * d + c % d];
        }
        ASSERT_EQ(scales[r] * sum, test::element(weight, r, c)) << r << " " << c;
      }
    }
  }

  const test::TempDir dir_;
  const std::string archive_ = dir_ / "m.h5";
  const std::string folder_ = dir_ / "aqlm";
};

// By hand: row 0 has the codes 0 and 200, row 1 the codes 1 and 255; 200 - 256 = -56.
TEST_F(ExportAqlm, CodesCountBlocksFirstAndWrapAround) {
  PqWeight weight = half(test::random_pq_weight({2, 4}, 2, 256));
  weight.codes = {0, 1, 200, 255};
  write_archive({{"a.weight", weight}});
  const AqlmReport report = export_aqlm(archive_, folder_, false);
  const auto reader = weights();
  EXPECT_EQ(info(*reader, "a.codes").dtype, DType::kI8);
  EXPECT_EQ(info(*reader, "a.codes").shape, (Shape{2, 2, 1}));
  EXPECT_THAT(integers<std::int8_t>(*reader, "a.codes"), ElementsAre(0, -56, 1, -1));
  EXPECT_EQ(info(*reader, "a.codebooks").shape, (Shape{1, 256, 1, 2}));
  EXPECT_EQ(floats(*reader, "a.codebooks"), weight.codebooks);
  EXPECT_EQ(info(*reader, "a.scales").shape, (Shape{2, 1, 1, 1}));
  EXPECT_THAT(floats(*reader, "a.scales"), ElementsAre(1, 1));
  EXPECT_THAT(floats(*reader, "a.bias"), ElementsAre(1, 2));
  EXPECT_EQ(reader->metadata().at("format"), "pt");
  const json quantization = {
      {"quant_method", "aqlm"}, {"nbits_per_codebook", 8},
      {"num_codebooks", 1},     {"out_group_size", 1},
      {"in_group_size", 2},     {"linear_weights_not_to_quantize", {"a.bias"}}};
  EXPECT_EQ(config(), json({{"quantization_config", quantization}}));
  ASSERT_EQ(report.tensors.size(), 2u);
  EXPECT_TRUE(report.tensors[0].is_coded);
  EXPECT_FALSE(report.tensors[1].is_coded);
  EXPECT_EQ(report.bits, 8u);
  EXPECT_EQ(report.block_size, 2u);
}

TEST_F(ExportAqlm, ImportTakesItBack) {
  for (const std::size_t k : {7u, 256u, 1000u, 65536u}) {
    for (const bool scaled : {false, true}) {
      const std::size_t n_additive = scaled ? 2 : 1;
      PqWeight weight = half(test::random_pq_weight({6, 40}, 8, k, 1, n_additive));
      if (scaled) weight = test::with_row_scales(weight);
      write_archive({{"a.weight", weight}});
      export_aqlm(archive_, folder_, true);
      const auto reader = weights();
      EXPECT_EQ(info(*reader, "a.codebooks").dtype, DType::kF16);
      if (k <= 256) {
        expect_decodes_to<std::int8_t>(*reader, weight);
      } else {
        expect_decodes_to<std::int16_t>(*reader, weight);
      }
      const std::string again = dir_ / "again.h5";
      import_weights(folder_ + "/model.safetensors", again, {.overwrite = true});
      EXPECT_EQ(Model(again).decode("a.weight"), Model(archive_).decode("a.weight")) << k;
    }
  }
}

TEST_F(ExportAqlm, WhatF16CannotHoldIsF32) {
  PqWeight weight = test::random_pq_weight({3, 8}, 4, 16);  // values of F32
  weight.codebook_dtype = DType::kF32;
  write_archive({{"a.weight", weight}});
  export_aqlm(archive_, folder_, false);
  EXPECT_EQ(info(*weights(), "a.codebooks").dtype, DType::kF32);
  expect_decodes_to<std::int8_t>(*weights(), weight);
}

TEST_F(ExportAqlm, TensorsThatTheLayoutCannotHoldAreDecoded) {
  const std::map<std::string, PqWeight> tensors = {
      {"a.weight", half(test::random_pq_weight({16, 40}, 4, 16))},
      {"conv.weight", half(test::random_pq_weight({4, 2, 3, 3}, 9, 16))},
      {"groups.weight", half(test::random_pq_weight({4, 16}, 4, 16, 2))},
      {"other_block.weight", half(test::random_pq_weight({4, 16}, 8, 16))},
      {"table", half(test::random_pq_weight({4, 16}, 4, 16))},
      {"tail.weight", half(test::random_pq_weight({4, 17}, 4, 16))}};
  write_archive(tensors);
  export_aqlm(archive_, folder_, false);
  const auto reader = weights();
  EXPECT_EQ(reader->tensors().size(), 3u + 5u + 1u);
  const Model model(archive_);
  for (const auto& [name, weight] : tensors) {
    if (name == "a.weight") continue;
    EXPECT_EQ(floats(*reader, name), model.decode(name)) << name;
  }
  const json plain = config()["quantization_config"]["linear_weights_not_to_quantize"];
  EXPECT_EQ(plain, json({"conv.weight", "groups.weight", "other_block.weight", "table",
                         "tail.weight", "a.bias"}));
}

TEST_F(ExportAqlm, EmbeddingsAreDecoded) {
  const PqWeight weight = half(test::random_pq_weight({4, 16}, 4, 16));
  ArchiveWriter writer(archive_, {});
  writer.add(PqCodec::to_record(weight, "fc.weight"));
  Record embedding = PqCodec::to_record(weight, "embed.weight");
  embedding.info.layout.kind = Kind::kEmbedding;
  writer.add(embedding);
  writer.commit();
  const AqlmReport report = export_aqlm(archive_, folder_, false);
  EXPECT_TRUE(report.tensors[0].is_coded);
  EXPECT_FALSE(report.tensors[1].is_coded);
}

TEST_F(ExportAqlm, KeepsTheOtherKeysOfAConfiguration) {
  write_archive({{"a.weight", half(test::random_pq_weight({4, 8}, 4, 16))}});
  std::filesystem::create_directory(folder_);
  const std::string path = folder_ + "/config.json";
  test::set_content(path, R"({"model_type": "llama", "quantization_config": {"x": 1}})");
  EXPECT_EQ(test::error_of([&] { export_aqlm(archive_, folder_, false); }).code(),
            ErrorCode::kExists);
  export_aqlm(archive_, folder_, true);
  EXPECT_EQ(config()["model_type"], "llama");
  EXPECT_EQ(config()["quantization_config"]["quant_method"], "aqlm");
  EXPECT_FALSE(config()["quantization_config"].contains("x"));
  for (const std::string& broken : {std::string("[1]"), std::string("{"), std::string(1000, '[')}) {
    test::set_content(path, broken);
    EXPECT_EQ(test::error_of([&] { export_aqlm(archive_, folder_, true); }).code(),
              ErrorCode::kFormat);
    EXPECT_EQ(test::content(path), broken);
  }
}

TEST_F(ExportAqlm, AnArchiveWithoutSuchTensorsIsRefused) {
  write_archive({{"conv.weight", half(test::random_pq_weight({4, 2, 3, 3}, 9, 16))}});
  const Error error = test::error_of([&] { export_aqlm(archive_, folder_, false); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_THAT(error.what(), HasSubstr("no tensor can be written as codes of AQLM"));
  EXPECT_FALSE(std::filesystem::exists(folder_));
}

}  // namespace
}  // namespace pqw
