// The files beside the weights of a model, and how weights are divided into shards.
#include "formats/model_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/formats/file_testing.h"

namespace pqw {
namespace {

using nlohmann::json;
using testing::ElementsAre;

class Sidecars : public testing::Test {
 protected:
  Sidecars() {
    std::filesystem::create_directory(dir_ / "in");
    for (const char* name :
         {"tokenizer.json", "tokenizer.model", "vocab.txt", "LICENSE", "README.md", "model.h5",
          "model.safetensors", "model.safetensors.index.json", "image.png", "notes"}) {
      test::set_content(dir_ / ("in/" + std::string(name)), name);
    }
    std::filesystem::create_directory(dir_ / "in/folder.json");
  }

  void write_config(const std::string& text) const {
    test::set_content(dir_ / "in/config.json", text);
  }

  void copy(const QuantizationConfig& config) {
    OutputFolder out(dir_ / "out/", {.overwrite = true}, is_model_file);
    copy_sidecars(dir_ / "in", out, config);
    out.commit();
  }

  // Of the copy, as a decoded model.
  void restore() {
    OutputFolder out(dir_ / "restored/", {.overwrite = true}, is_model_file);
    restore_sidecars(dir_ / "out", out);
    out.commit();
  }

  const test::TempDir dir_;
};

TEST_F(Sidecars, AllButWeightsAndOtherFilesAreCopied) {
  copy({"1", {}, 0});
  EXPECT_THAT(list_folder(dir_ / "out"), ElementsAre("LICENSE", "README.md", "tokenizer.json",
                                                     "tokenizer.model", "vocab.txt"));
  EXPECT_EQ(test::content(dir_ / "out/vocab.txt"), "vocab.txt");
}

TEST_F(Sidecars, TheConfigurationSaysHowTheModelIsCompressed) {
  write_config(R"({"z": 1e-05, "a": [1, "x"]})");
  copy({"1.2", {"lm_head"}, 5000});
  EXPECT_EQ(test::content(dir_ / "out/config.json"),
            "{\"z\": 1e-05, \"a\": [1, \"x\"],\n"
            "  \"quantization_config\": {\n    \"quant_method\": \"pqw\",\n"
            "    \"version\": \"1.2\",\n    \"modules_to_not_convert\": [\n      \"lm_head\"\n"
            "    ],\n    \"max_shard_size\": 5000\n  }}");
  EXPECT_EQ(recorded_shard_bytes(dir_ / "out"), 5000u);
  restore();
  EXPECT_EQ(test::content(dir_ / "restored/config.json"), R"({"z": 1e-05, "a": [1, "x"]})");
}

TEST_F(Sidecars, AnEarlierQuantizationIsRestored) {
  const char* kText = R"({"quantization_config": {"quant_method": "gptq", "bits": 4}})";
  write_config(kText);
  copy({"1", {}, 0});
  EXPECT_EQ(recorded_shard_bytes(dir_ / "out"), std::nullopt);
  restore();
  EXPECT_EQ(test::content(dir_ / "restored/config.json"), kText);
}

TEST_F(Sidecars, NumbersKeepTheirDigits) {
  const char* kText =
      "{\n  \"seed\": 123456789012345678901234567890,\n  \"eps\": 1.00e-05,\n"
      "  \"quantization_config\": {\"x\": 0.10000000000000000555},\n  \"é\": \"\\u00e9\"\n}\n";
  write_config(kText);
  copy({"1", {}, 0});
  const std::string text = test::content(dir_ / "out/config.json");
  EXPECT_THAT(text, testing::HasSubstr("\"seed\": 123456789012345678901234567890,\n"));
  EXPECT_THAT(text, testing::HasSubstr("\"original\": {\"x\": 0.10000000000000000555}"));
  EXPECT_EQ(json::parse(text)["quantization_config"]["quant_method"], "pqw");
  restore();
  EXPECT_EQ(test::content(dir_ / "restored/config.json"), kText);
}

TEST_F(Sidecars, NumbersThatOnlyPythonWritesStay) {
  const std::string text = "{\"NaN\": [NaN, -Infinity], \"b\\\"\": \"Infinity\", \"c\": Infinity}";
  write_config(text);
  copy({"1", {}, 0});
  EXPECT_TRUE(test::content(dir_ / "out/config.json").starts_with(text.substr(0, text.size() - 1)));
  restore();
  EXPECT_EQ(test::content(dir_ / "restored/config.json"), text);
}

TEST_F(Sidecars, WhatIsNotCopiedIsListed) {
  std::filesystem::create_directory(dir_ / "in/.git");
  std::filesystem::create_symlink("nowhere", dir_ / "in/merges.txt");
  const std::vector<std::string> used = {"elsewhere/model.safetensors",
                                         "model.safetensors.index.json"};
  EXPECT_THAT(not_copied(dir_ / "in", used),
              ElementsAre(".git/", "folder.json/", "image.png", "merges.txt", "model.h5", "notes"));
}

TEST_F(Sidecars, ABrokenConfigurationIsAnErrorAndNothingIsWritten) {
  for (const char* text : {"{\"a\": ", "[]", "", "{} x"}) {
    write_config(text);
    EXPECT_THROW(copy({"1", {}, 0}), Error) << text;
    EXPECT_FALSE(std::filesystem::exists(dir_ / "out")) << text;
    EXPECT_FALSE(std::filesystem::exists(dir_ / "out.pqw.tmp")) << text;
  }
}

TEST(SidecarFolder, IsThatOfAFolderOrAnIndex) {
  const test::TempDir dir;
  EXPECT_EQ(sidecar_folder(dir.path()), dir.path());
  EXPECT_EQ(sidecar_folder("a/model.safetensors.index.json"), "a/");
  EXPECT_EQ(sidecar_folder("model.safetensors.index.json"), ".");
  EXPECT_EQ(sidecar_folder("a/model.safetensors"), "");
}

ShardPlan plan_of(std::initializer_list<std::size_t> bytes, std::optional<std::uint64_t> most) {
  return plan_shards(std::vector(bytes), most);
}

TEST(PlanShards, FillsOneFileAfterTheOther) {
  const ShardPlan plan = plan_of({4, 6, 1, 30, 2, 8}, 10);
  EXPECT_THAT(plan.counts, ElementsAre(2u, 1u, 1u, 2u));
  EXPECT_EQ(plan.files[0], "model-00001-of-00004.safetensors");
  EXPECT_EQ(plan.files[3], "model-00004-of-00004.safetensors");
}

TEST(PlanShards, OneFileHasAShortName) {
  EXPECT_THAT(plan_of({4, 6}, 10).files, ElementsAre("model.safetensors"));
  EXPECT_THAT(plan_of({4, 6}, std::nullopt).files, ElementsAre("model.safetensors"));
  EXPECT_THAT(plan_of({}, 10).counts, ElementsAre(0u));
}

}  // namespace
}  // namespace pqw
