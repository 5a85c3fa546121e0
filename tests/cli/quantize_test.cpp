// The verb quantize: settings, recipes, reports.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pqw/formats/weight_file.h"
#include "tests/cli/cli_testing.h"
#include "tests/formats/zip_building.h"
#include "tests/support/file_content.h"

namespace pqw {
namespace {

using test::content;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

using Cli = test::CliTest;
using test::Outcome;

TEST_F(Cli, OfFlagsThatSayTheRankTheLastCounts) {
  const auto settings = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(),
                 {"quantize", "model.safetensors", "--dry-run", "--codec", "low_rank"});
    return run(flags).out;
  };
  EXPECT_THAT(settings({"--energy", "0.5", "--rank", "4"}), HasSubstr("rank=4"));
  EXPECT_THAT(settings({"--dim-ratio", "0.1", "--rank", "4"}), HasSubstr("rank=4"));
  // A tenth of 64 outputs.
  EXPECT_THAT(settings({"--rank", "4", "--dim-ratio", "0.1"}), HasSubstr("rank=6"));
}

TEST_F(Cli, FewBitsAreSaidToBeARisk) {
  // 64 * 36 * 8 bits and a codebook of 256 * 4 * 16 of 9216 weights, and of 9600 64 * 38 * 8 and
  // the same: 70784 bits of 18816 weights are 3.76. With 16 centroids: 64 * (36 + 38) * 4 + 2 *
  // 1024 = 20992 bits are 1.12.
  const auto quantize = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"quantize", "model.safetensors", "-o", "m.h5", "--force"});
    return run(flags);
  };
  EXPECT_THAT(quantize({}).out, Not(HasSubstr("\nwarning: ")));
  const Outcome few = quantize({"--centroids", "16", "--entropy-coding", "off"});
  EXPECT_EQ(few.status, 0);
  EXPECT_THAT(few.out,
              HasSubstr("\nwarning: 1.12 bits a weight, without int8 and plain tensors: "));
  EXPECT_THAT(run({"eval", "model.safetensors", "m.h5"}).out, HasSubstr("\nwarning: 1.12 bits"));
  // 64 * 38 * 4 + 1024 bits of 9600 weights; nor do 8 bits of the other hide it.
  EXPECT_THAT(
      quantize({"--centroids", "16", "--entropy-coding", "off", "--set", "conv:codec=int8"}).out,
      HasSubstr("\nwarning: 1.12 bits a weight,"));
  EXPECT_THAT(quantize({"--codec", "int8"}).out, Not(HasSubstr("\nwarning: ")));
  const auto dry = nlohmann::json::parse(
      run({"quantize", "model.safetensors", "--dry-run", "--centroids", "16", "--json"}).out);
  EXPECT_THAT(dry["verdict"]["warning"].get<std::string>(), HasSubstr("1.12 bits a weight,"));
  EXPECT_TRUE(dry["verdict"]["command_to_halve_the_error"].is_null());  // not measured
  const Outcome quiet = quantize({"--centroids", "16", "--quiet"});
  EXPECT_THAT(quiet.err, IsEmpty());
  EXPECT_THAT(quiet.out, Not(HasSubstr("warning: ")));
}

TEST_F(Cli, TheVerdictProposesACommandThatHalvesTheError) {
  std::filesystem::rename(dir_ / "model.safetensors", dir_ / "my model.safetensors");
  const auto error_and_command = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(),
                 {"quantize", "my model.safetensors", "-o", "m.h5", "--force", "--json"});
    const auto report = nlohmann::json::parse(run(flags).out);
    return std::pair(report["verdict"]["mean_error"].get<double>(),
                     report["verdict"]["command_to_halve_the_error"]);
  };
  const auto [error, command] =
      error_and_command({"--exclude", "bias$", "--seed", "3", "--block-size", "4"});
  EXPECT_EQ(command, fmt::format("pqw quantize 'my model.safetensors' -o m.h5 --force --exclude "
                                 "'bias$' --seed 3 --for serving --target-error {:.3g}",
                                 error / 2));
  EXPECT_THAT(
      run({"eval", "my model.safetensors", "m.h5"}).out,
      HasSubstr(fmt::format("to halve the mean error: pqw quantize 'my model.safetensors' -o m.h5 "
                            "--force --for serving --target-error {:.3g}\n",
                            error / 2)));
  const auto half = error_and_command({"--exclude", "bias$", "--seed", "3", "--for", "serving",
                                       "--target-error", fmt::format("{:.3g}", error / 2)});
  EXPECT_NEAR(half.first / error, 0.5, 0.1);
  // A target does not choose low_rank, and its options say nothing to other codecs.
  const auto [rank_error, other_codec] =
      error_and_command({"--codec", "low_rank", "--dim-ratio", "0.5", "--non-finite", "plain"});
  EXPECT_EQ(other_codec, fmt::format("pqw quantize 'my model.safetensors' -o m.h5 --force "
                                     "--non-finite plain --target-error {:.3g}",
                                     rank_error / 2));
  EXPECT_EQ(run({"quantize", "my model.safetensors", "-o", "m.h5", "--force", "--non-finite",
                 "plain", "--target-error", fmt::format("{:.3g}", rank_error / 2)})
                .status,
            0);
  // Errors of single weights in 4096 levels are about 2.7 / 4096^2.
  const auto [tiny, none] =
      error_and_command({"--codec", "pq", "--block-size", "1", "--centroids", "4096"});
  EXPECT_GT(tiny, 0);
  EXPECT_LT(tiny, 1e-6);
  EXPECT_TRUE(none.is_null());
  // A rule would keep its own block size.
  EXPECT_TRUE(error_and_command({"--set", "conv:block_size=4"}).second.is_null());
}

TEST_F(Cli, ANoteNamesThePreset) {
  const auto preset = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"quantize", "model.safetensors", "--dry-run"});
    const std::string err = run(flags).err;
    const std::size_t at = err.find("preset ");
    return at == std::string::npos ? "" : err.substr(at, err.find(" (", at) - at);
  };
  EXPECT_EQ(preset({}), "preset balanced: tcq for large tensors");
  EXPECT_EQ(preset({"--for", "serving"}), "preset balanced: pq for large tensors");
  EXPECT_EQ(preset({"--for", "serving", "--quality", "high"}),
            "preset high: int8 for large tensors");
  EXPECT_EQ(preset({"--seed", "3"}),
            "preset balanced: pq for large tensors, as options of pq are set");
  EXPECT_EQ(preset({"--codec", "pq"}), "");
}

TEST_F(Cli, ThinTensorsForServingAreInt8UnlessACodecIsNamed) {
  write_model("thin.safetensors", {"depthwise", "small", "large"},
              {{512, 1, 3, 3}, {64, 64}, {64, 150}});
  const auto codecs = [&](std::vector<std::string> options) {
    options.insert(options.begin(), {"quantize", "thin.safetensors", "--dry-run", "--json"});
    const auto report = nlohmann::json::parse(run(options).out);
    std::string all;
    for (const auto& tensor : report["tensors"]) {
      all += tensor["codec"].get<std::string>() + (tensor.contains("note") ? "! " : " ");
    }
    return all;
  };
  EXPECT_EQ(codecs({"--for", "serving"}), "int8! int8! pq ");
  EXPECT_EQ(codecs({"--thin", "same", "--for", "serving"}), "pq int8! pq ")
      << "pq would not be smaller than int8";
  EXPECT_EQ(codecs({"--codec", "pq"}), "pq pq pq ");
  EXPECT_EQ(codecs({"--codec", "pq", "--thin", "int8"}), "int8! int8! pq ");
  EXPECT_EQ(codecs({"--for", "serving", "--set", "depth:codec=pq"}), "pq int8! pq ");
  EXPECT_EQ(codecs({"--for", "serving", "--exclude", "small"}), "int8! plain! pq ");
  EXPECT_THAT(run({"quantize", "thin.safetensors", "--dry-run"}).out, HasSubstr("thin: tcq"));
  EXPECT_EQ(run({"quantize", "thin.safetensors", "--dry-run", "--thin", "plain"}).status, 2);
  const Outcome written =
      run({"quantize", "thin.safetensors", "-o", "t.h5", "--json", "--entropy-coding", "off"});
  const auto plan = nlohmann::json::parse(
      run({"quantize", "thin.safetensors", "--dry-run", "--json", "--entropy-coding", "off"}).out);
  EXPECT_EQ(plan["total"]["file_bytes"], std::filesystem::file_size(dir_ / "t.h5"));
  EXPECT_EQ(nlohmann::json::parse(written.out)["tensors"][0]["note"], "thin: int8");
}

TEST_F(Cli, DryRunTellsTheSizeAndWritesNothing) {
  for (const std::string coding : {"on", "off"}) {
    const auto plan =
        nlohmann::json::parse(run({"quantize", "model.safetensors", "--dry-run", "--json", "-o",
                                   "new.h5", "--entropy-coding", coding})
                                  .out);
    EXPECT_FALSE(exists("new.h5"));
    run({"quantize", "model.safetensors", "-o", "m.h5", "--force", "--entropy-coding", coding});
    const auto size = std::filesystem::file_size(dir_ / "m.h5");
    EXPECT_EQ(plan["total"]["at_most"], coding == "on");
    if (coding == "off") {
      EXPECT_EQ(plan["total"]["file_bytes"], size);
    } else {
      EXPECT_GT(plan["total"]["file_bytes"], size);
    }
  }
}

TEST_F(Cli, RecipesAndFlagsSayTheSame) {
  std::ofstream(dir_ / "r.yaml") << "defaults: {centroids: 32}\n"
                                    "tensors:\n  - {pattern: '^fc', block_size: 5}\n";
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5", "--recipe", "r.yaml"}).status, 0);
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "b.h5", "--centroids", "32", "--set",
                 "^fc:block_size=5"})
                .status,
            0);
  EXPECT_TRUE(content(dir_ / "a.h5") == content(dir_ / "b.h5"));
  // Flags beat the file's defaults, rules of --set beat the file's rules.
  run({"quantize", "model.safetensors", "-o", "c.h5", "--recipe", "r.yaml", "--centroids", "64",
       "--set", "fc:block_size=10"});
  const auto c = nlohmann::json::parse(run({"inspect", "c.h5", "--json"}).out);
  EXPECT_EQ(c["tensors"][0]["settings"]["centroids"], 64);
  EXPECT_EQ(c["tensors"][1]["settings"]["block_size"], 10);
}

TEST_F(Cli, EnginesAreAChoice) {
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--engine", "faiss"}).status, 0);
  EXPECT_THAT(run({"inspect", "m.h5"}).out, HasSubstr("engine=faiss"));
}

TEST_F(Cli, OptionsWithoutEffectAreErrorsOfUsage) {
  const std::vector<std::string> quantize{"quantize", "model.safetensors", "-o", "m.h5", "--force"};
  const auto with = [&](std::vector<std::string> flags) {
    flags.insert(flags.begin(), quantize.begin(), quantize.end());
    return run(flags);
  };
  const Outcome faiss = with({"--engine", "faiss", "--reassign", "split"});
  EXPECT_EQ(faiss.status, 2);
  EXPECT_THAT(faiss.err,
              HasSubstr("reassign=split: engine=faiss does not support it; use engine=native"));
  EXPECT_EQ(with({"--codec", "tensorized", "--seed", "1"}).status, 2);
  EXPECT_FALSE(exists("m.h5"));
  EXPECT_EQ(with({"--engine", "faiss", "--restarts", "2", "--init", "random"}).status, 0);
  EXPECT_EQ(with({"--reassign", "split", "--set", "fc:engine=faiss"}).status, 0);
  // A flag that chooses otherwise than the recipe leaves behind what that had for its own choice.
  std::ofstream(dir_ / "cp.yaml") << "defaults: {codec: tensorized, form: cp, rank: 4, seed: 1}\n"
                                     "tensors: [{pattern: fc, form: cp}]\n";
  EXPECT_EQ(with({"--recipe", "cp.yaml", "--form", "tt"}).status, 0);
  const auto stored = nlohmann::json::parse(run({"inspect", "m.h5", "--json"}).out)["tensors"];
  EXPECT_EQ(stored[1]["options"]["seed"], 1) << "the rule of fc uses it";
  EXPECT_EQ(stored[0]["options"]["seed"], 0) << "conv is a train";
  std::ofstream(dir_ / "cp.yaml") << "defaults: {codec: tensorized, form: cp, rank: 4, seed: 1}\n";
  EXPECT_EQ(with({"--recipe", "cp.yaml", "--form", "tt"}).status, 0);
  EXPECT_EQ(with({"--recipe", "cp.yaml", "--form", "tt", "--seed", "2"}).status, 2);
}

TEST_F(Cli, Int8IsACodec) {
  const auto plan = nlohmann::json::parse(
      run({"quantize", "model.safetensors", "--codec", "int8", "--dry-run", "--json"}).out);
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--codec", "int8", "--set",
                 "conv:codec=int8,per=tensor,scheme=affine"})
                .status,
            0);
  const auto report = nlohmann::json::parse(run({"inspect", "m.h5", "--json"}).out);
  EXPECT_EQ(report["tensors"][0]["codec"], "int8");
  EXPECT_EQ(report["tensors"][0]["settings"]["scheme"], "affine");
  EXPECT_EQ(report["tensors"][1]["settings"]["per"], "row");
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "n.h5", "--codec", "int8"}).status, 0);
  EXPECT_EQ(plan["total"]["file_bytes"], std::filesystem::file_size(dir_ / "n.h5"));
  const auto errors =
      nlohmann::json::parse(run({"eval", "model.safetensors", "n.h5", "--json"}).out);
  EXPECT_LT(errors["total"]["relative_error"], 2e-4);
  for (const char* precision : {"exact", "high", "fast"}) {
    EXPECT_EQ(run({"bench", "n.h5", "--batch", "1", "--precision", precision, "--quiet"}).status,
              0);
  }
}

TEST_F(Cli, IncludeAndExcludeSelectTensors) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--include", "weight", "--exclude", "^conv"});
  const auto report = nlohmann::json::parse(run({"inspect", "m.h5", "--json"}).out);
  EXPECT_EQ(report["tensors"][0]["codec"], "plain");
  EXPECT_EQ(report["tensors"][1]["codec"], "tcq");
}

TEST_F(Cli, RecipesAreBlamedByLine) {
  const auto quantize = [&](const std::string& recipe) {
    std::ofstream(dir_ / "r.yaml") << recipe;
    return run({"quantize", "model.safetensors", "-o", "m.h5", "--recipe", "r.yaml"});
  };
  expect_failure(quantize("exclude:\n  - '('\n"), "r.yaml: line 2: pattern '(': missing )");
  expect_failure(quantize("tensors:\n  - {pattern: '[', seed: 1}\n"),
                 "r.yaml: line 2: pattern '['");
  expect_failure(quantize("tensors:\n  - {pattern: decoder, seed: 1}\n"),
                 "r.yaml: line 2: pattern 'decoder' matches no tensor");
  expect_failure(quantize("defaults: [\n"), "r.yaml: line 2: ");
  expect_failure(quantize("default: {seed: 1}\n"), "line 1: unknown key 'default'");
  EXPECT_EQ(quantize("tensors:\n  - {pattern: decoder, optional: true, seed: 1}\n").status, 0);
}

TEST_F(Cli, NumbersThatCannotBeCarriedStopItUnlessTheyAreToBeSkipped) {
  const std::string zeros(16, '\0');
  test::set_content(dir_ / "in.npz",
                    test::zip_of({{"w.npy", test::npy_of("<f4", "(2, 2)", zeros)},
                                  {"text.npy", test::npy_of("|S4", "(4,)", zeros)},
                                  {"phase.npy", test::npy_of("<c8", "(2,)", zeros)}}));
  const Outcome stopped = run({"quantize", "in.npz", "-o", "m.h5", "--quiet"});
  expect_failure(stopped, "in.npz: 'phase' holds complex numbers");
  EXPECT_THAT(stopped.err, HasSubstr("--skip-unsupported"));
  EXPECT_THAT(stopped.err, HasSubstr("; m.h5 was not written"));
  EXPECT_FALSE(exists("m.h5"));
  expect_failure(run({"quantize", "in.npz", "--dry-run"}), "'phase' holds complex numbers");
  const Outcome skipped =
      run({"quantize", "in.npz", "-o", "m.h5", "--quiet", "--json", "--skip-unsupported"});
  EXPECT_EQ(skipped.status, 0);
  EXPECT_EQ(skipped.err,
            "skipped: 'text' holds byte strings (dtype '|S4')\n"
            "skipped: 'phase' holds complex numbers (dtype '<c8')\n");
  const auto report = nlohmann::json::parse(skipped.out);
  EXPECT_EQ(report["tensors"].size(), 1u);
  ASSERT_EQ(report["skipped"].size(), 2u);
  EXPECT_EQ(report["skipped"][1]["name"], "phase");
  EXPECT_THAT(report["skipped"][1]["what"], HasSubstr("complex numbers"));
  EXPECT_THAT(run({"eval", "in.npz", "m.h5"}).err, HasSubstr("skipped: 'phase'"));
}

TEST_F(Cli, AFileWithoutTensorsIsAnError) {
  write_model("none.safetensors", {});
  expect_failure(run({"quantize", "none.safetensors", "-o", "m.h5"}),
                 "none.safetensors: holds no tensor");
  EXPECT_FALSE(exists("m.h5"));
}

TEST_F(Cli, TiedWeightsAreStoredOnceUnderBothNames) {
  const auto weights = test::normal_values(64 * 64, 1);
  const auto bytes = std::as_bytes(std::span(weights));
  const auto writer = create_weights(
      dir_ / "tied.npz", {{"embed", DType::kF32, {64, 64}}, {"head", DType::kF32, {64, 64}}}, {},
      {.overwrite = true});
  writer->add(bytes);
  writer->add(bytes);
  writer->commit();
  const Outcome quantize = run({"quantize", "tied.npz", "-o", "m.h5", "--codec", "pq"});
  EXPECT_EQ(quantize.status, 0) << quantize.err;
  EXPECT_THAT(quantize.out, HasSubstr("same as 'embed'"));
  EXPECT_EQ(run({"verify", "m.h5"}).status, 0);
  EXPECT_THAT(run({"inspect", "m.h5"}).out, HasSubstr("same as 'embed'"));
  EXPECT_EQ(run({"decode", "m.h5", "-o", "head.npy", "--tensor", "head"}).status, 0);
  const Outcome bench = run({"bench", "m.h5", "--tensor", "head", "--batch", "1", "--quiet"});
  EXPECT_EQ(bench.status, 0) << bench.err;
  EXPECT_THAT(bench.out, HasSubstr("block_size=4"));
}

TEST_F(Cli, TensorizedByFlagsAndByRecipe) {
  const Outcome outcome =
      run({"quantize", "model.safetensors", "-o", "m.h5", "--codec", "tensorized", "--form", "ttm",
           "--rank", "0.2", "--set", "conv:form=tt,rank=4x8x4,modes=2,factors.codec=pq"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("form=ttm,out="));
  EXPECT_THAT(outcome.out, HasSubstr("form=tt,out=8x8,in=12x12,rank=4x8x4"));
  EXPECT_EQ(run({"verify", "m.h5"}).status, 0);
  EXPECT_THAT(run({"eval", "model.safetensors", "m.h5"}).out, HasSubstr("form=ttm"));
  const Outcome bad = run(
      {"quantize", "model.safetensors", "-o", "n.h5", "--codec", "tensorized", "--form", "svd"});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("expected cp, tucker, tt or ttm"));
  const Outcome joint = run({"quantize", "model.safetensors", "-o", "n.h5", "--codec", "tensorized",
                             "--form", "ttm", "--joint", "ffn"});
  EXPECT_EQ(joint.status, 2);
  EXPECT_THAT(joint.err, HasSubstr("joint=ffn: expected form cp, tucker or tt"));
}

}  // namespace
}  // namespace pqw
