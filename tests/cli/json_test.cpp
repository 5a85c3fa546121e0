// Every JSON document is as docs/json.schema.json says.
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "tests/cli/cli_testing.h"
#include "tests/formats/onnx_building.h"

namespace pqw {
namespace {

using nlohmann::json;
using valijson::adapters::NlohmannJsonAdapter;

class JsonDocuments : public test::CliTest {
 protected:
  // Of the definition of that name, or of the whole schema.
  std::string problems(const json& document, const std::string& definition) const {
    json root = json::parse(test::content(PQW_JSON_SCHEMA));
    if (!definition.empty()) {  // the whole would only say that no alternative fits
      root.erase("oneOf");
      root["allOf"] = json::array({{{"$ref", "#/definitions/" + definition}}});
    }
    valijson::Schema schema;
    valijson::SchemaParser parser(valijson::SchemaParser::kDraft7);
    parser.populateSchema(NlohmannJsonAdapter(root), schema);
    valijson::Validator validator;
    valijson::ValidationResults results;
    const bool is_valid = validator.validate(schema, NlohmannJsonAdapter(document), &results);
    std::string text = is_valid ? "" : "invalid: ";
    for (valijson::ValidationResults::Error error; results.popError(error);) {
      for (const std::string& step : error.context) text += step;
      text += ": " + error.description + "\n";
    }
    return text;
  }

  json valid_document(std::vector<std::string> arguments, int status = 0) const {
    const std::string verb = arguments[0];
    arguments.push_back("--json");
    const test::Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.status, status) << outcome.err;
    json document = json::parse(outcome.out, nullptr, false);
    EXPECT_EQ(problems(document, verb), "") << outcome.out;
    EXPECT_EQ(problems(document, ""), "");
    return document;
  }
};

TEST_F(JsonDocuments, OfEveryVerbAreAsTheSchemaSays) {
  const json quantize =
      valid_document({"quantize", "model.safetensors", "-o", "m.h5", "--seed", "2", "--exclude",
                      "bias", "--set", "conv:codec=low_rank,rank=4,factors.codec=pq"});
  EXPECT_EQ(quantize["schema"], 1);
  EXPECT_EQ("pqw " + quantize["pqw_version"].get<std::string>() + "\n", run({"--version"}).out);
  EXPECT_EQ(quantize["input"], "model.safetensors");
  EXPECT_EQ(quantize["output"], "m.h5");
  const json& options = quantize["options"];
  EXPECT_EQ(options["defaults"], json({{"seed", 2}}));
  EXPECT_EQ(options["exclude"], json({"bias"}));
  EXPECT_EQ(options["rules"][0]["pattern"], "conv");
  EXPECT_EQ(options["rules"][0]["settings"]["factors"], json({{"codec", "pq"}}));
  EXPECT_EQ(quantize["tensors"][1]["options"]["seed"], 2);
  EXPECT_FALSE(quantize["tensors"][2].contains("options")) << "plain";

  write_model("inputs.npz", {"fc.weight"}, {{40, 150}});
  const json calibrate =
      valid_document({"calibrate", "inputs.npz", "--model", "model.safetensors", "-o", "stats.h5",
                      "--set", "conv:stride=2,kind=conv", "--gram-block", "100"});
  EXPECT_EQ(calibrate["inputs"], json({"inputs.npz"}));
  EXPECT_EQ(calibrate["options"]["rules"][0]["settings"], json({{"stride", 2}, {"kind", "conv"}}));
  EXPECT_EQ(calibrate["tensors"][0]["rows"], 35);
  EXPECT_EQ(calibrate["tensors"][0]["held_out"], 5);
  EXPECT_EQ(calibrate["tensors"][0]["gram_block"], 100);
  EXPECT_EQ(calibrate["without_inputs"], json({"conv.weight"}));
  const json judged =
      valid_document({"eval", "model.safetensors", "m.h5", "--calibration", "stats.h5"});
  EXPECT_EQ(judged["options"]["calibration"], "stats.h5");
  EXPECT_TRUE(judged["tensors"][0]["output_error"].is_null());
  EXPECT_GT(judged["tensors"][1]["output_error"], 0);
  EXPECT_EQ(judged["total"]["output_error"], judged["tensors"][1]["output_error"]);

  const json dry = valid_document({"quantize", "model.safetensors", "--dry-run"});
  EXPECT_TRUE(dry["output"].is_null());
  EXPECT_TRUE(dry["options"]["target"].is_null());
  EXPECT_FALSE(dry.contains("search"));
  const json target =
      valid_document({"quantize", "model.safetensors", "-o", "t.h5", "--target-bpw", "6"});
  EXPECT_EQ(target["options"]["target"], json({{"bpw", 6}, {"metric", "relative"}}));
  EXPECT_EQ(target["search"]["target_bytes"], 18880 * 6 / 8);
  EXPECT_GT(target["search"]["error"], 0);
  const json inspect = valid_document({"inspect", "m.h5"});
  EXPECT_EQ(inspect["tensors"][1]["options"], quantize["tensors"][1]["options"]);
  EXPECT_EQ(inspect["is_archive"], true);
  const json weights = valid_document({"inspect", "model.safetensors"});
  EXPECT_EQ(weights["is_archive"], false);
  EXPECT_EQ(weights["tensors"][0]["name"], "conv.weight");
  EXPECT_EQ(weights["tensors"][2]["bytes"], 256);
  EXPECT_EQ(valid_document({"verify", "m.h5"})["tensor_count"], 3);
  const json sensitivity =
      valid_document({"sensitivity", "model.safetensors", "--eval", "echo 1; : {}",
                      "--higher-is-better", "--output-recipe", "r.yaml", "--max-loss", "0"});
  EXPECT_EQ(sensitivity["options"]["at"][1], json({{"codec", "tcq"}, {"bits", 2.5}}));
  EXPECT_EQ(sensitivity["target"]["loss"], 0);
  const json decode = valid_document({"decode", "m.h5", "-o", "fc.npy", "--tensor", "^fc.w"});
  EXPECT_EQ(decode["tensor_count"], 1);
  EXPECT_EQ(decode["options"]["tensor"], "^fc.w");
  EXPECT_TRUE(decode["options"]["template"].is_null());
  const json copy = valid_document({"decode", "m.h5", "--template", "model.safetensors", "-o",
                                    "copy.safetensors", "--tensor", "^fc.w"});
  EXPECT_EQ(copy["kept"].size(), 2u);
  onnx::ModelProto model = test::onnx_model();
  test::add_floats(*model.mutable_graph(), "w", {96, 64});
  test::set_content(dir_ / "model.onnx", model.SerializeAsString());
  run({"quantize", "model.onnx", "-o", "onnx.h5", "--codec", "pq", "--centroids", "16"});
  const json exported =
      valid_document({"export", "onnx.h5", "--template", "model.onnx", "-o", "small.onnx"});
  EXPECT_EQ(exported["tensors"],
            json::array({{{"name", "w"}, {"codec", "pq"}, {"form", "nodes"}}}));
  EXPECT_EQ(exported["template_bytes"], std::filesystem::file_size(dir_ / "model.onnx"));
  EXPECT_EQ(exported["output_bytes"], std::filesystem::file_size(dir_ / "small.onnx"));
  const json eval = valid_document({"eval", "model.safetensors", "m.h5"});
  EXPECT_EQ(eval["archive"], "m.h5");
  EXPECT_TRUE(eval["options"]["max_error"].is_null());
  const json bench = valid_document({"bench", "m.h5", "--batch", "1"});
  EXPECT_EQ(bench["archive"], bench["input"]);
}

TEST_F(JsonDocuments, OfImportAreAsTheSchemaSays) {
  write_quantized_layer();
  const json import =
      valid_document({"import", "q.npz", "-o", "q.h5", "--shape", "q.weight=[4, 2]"});
  EXPECT_EQ(import["input"], "q.npz");
  EXPECT_EQ(import["output"], "q.h5");
  EXPECT_EQ(import["options"]["shapes"], json({{"q.weight", {4, 2}}}));
  EXPECT_TRUE(import["options"]["template"].is_null());
  EXPECT_EQ(import["tensors"][0]["name"], "q.weight");
  EXPECT_EQ(import["tensors"][0]["codec"], "pq");
  EXPECT_TRUE(import["tensors"][0]["relative_error"].is_null()) << "there is no original";
  EXPECT_EQ(import["missing"], json::array());
  const json exported = valid_document({"export", "q.h5", "--format", "aqlm", "-o", "folder"});
  EXPECT_EQ(exported["options"]["format"], "aqlm");
  EXPECT_EQ(exported["tensors"],
            json({{{"name", "q.weight"}, {"codec", "pq"}, {"form", "codes"}}}));
  EXPECT_EQ(exported["output_bytes"],
            std::filesystem::file_size(dir_ / "folder/model.safetensors") +
                std::filesystem::file_size(dir_ / "folder/config.json"));
}

TEST_F(JsonDocuments, WithForeignKeysOrWithoutKeysAreNotValid) {
  const json good = {{"schema", 1},
                     {"pqw_version", "1"},
                     {"verb", "verify"},
                     {"input", "x"},
                     {"options", {{"trusted", true}}},
                     {"whole", true},
                     {"tensor_count", 1}};
  EXPECT_EQ(problems(good, "verify"), "");
  EXPECT_NE(problems(good, "decode"), "");
  json more = good, less = good;
  more["new"] = 1;
  less.erase("whole");
  EXPECT_NE(problems(more, "verify"), "");
  EXPECT_NE(problems(less, "verify"), "");
}

// The exit code of eval, its message, and the tensors that its document names.
TEST_F(JsonDocuments, EvalTellsWhichTensorsAreBeyondLimits) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--set", "fc:centroids=4", "--codec", "pq"});
  const json report = valid_document({"eval", "model.safetensors", "m.h5"});
  const double conv = report["tensors"][0]["relative_error"],
               fc = report["tensors"][1]["relative_error"];
  ASSERT_LT(conv, fc);
  const std::string between = std::to_string((conv + fc) / 2), above = std::to_string(fc + 0.01);
  const double fc_sqnr = report["tensors"][1]["sqnr_db"];
  EXPECT_EQ(valid_document({"eval", "model.safetensors", "m.h5", "--max-error", above, "--min-sqnr",
                            std::to_string(fc_sqnr - 0.1)})["beyond_limits"],
            json::array());
  const json failed =
      valid_document({"eval", "model.safetensors", "m.h5", "--max-error", between}, 3);
  EXPECT_EQ(failed["beyond_limits"], json({"fc.weight"}));
  EXPECT_EQ(failed["options"]["max_error"], std::stod(between));
  const test::Outcome outcome = run({"eval", "model.safetensors", "m.h5", "--max-error", between});
  EXPECT_EQ(outcome.status, 3);
  EXPECT_THAT(outcome.out, testing::HasSubstr("fc.weight")) << "the table comes all the same";
  EXPECT_THAT(outcome.err, testing::StartsWith("pqw: m.h5: tensor 'fc.weight': relative error "));
  EXPECT_THAT(outcome.err,
              testing::EndsWith("; allowed are at most " +
                                nlohmann::json(std::stod(between)).dump() + " (--max-error)\n"));
  const test::Outcome both = run({"eval", "model.safetensors", "m.h5", "--min-sqnr", "99"});
  EXPECT_EQ(both.status, 3);
  EXPECT_THAT(both.err,
              testing::HasSubstr("at least 99 dB (--min-sqnr); 2 tensors are beyond that"));
}

TEST_F(JsonDocuments, ALostTensorIsBeyondEveryLimit) {
  // All weights are zero in one file and one in the other: the relative error is infinite.
  const auto write = [&](const std::string& name, float value) {
    const std::vector<float> values(64, value);
    const auto writer =
        create_weights(dir_ / name, {{"w", DType::kF32, {8, 8}}}, {}, {.overwrite = true});
    writer->add(std::as_bytes(std::span(values)));
    writer->commit();
  };
  write("zero.npy", 0);
  write("one.npy", 1);
  write("nan.npy", NAN);
  for (const char* decoded : {"one.npy", "nan.npy"}) {
    const json document = valid_document({"eval", "zero.npy", decoded, "--max-error", "1e300"}, 3);
    EXPECT_EQ(document["beyond_limits"], json({"arr_0"})) << decoded;
    EXPECT_TRUE(document["tensors"][0]["relative_error"].is_null());
  }
}

}  // namespace
}  // namespace pqw
