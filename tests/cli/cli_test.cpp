// The command-line tool as its users meet it: the real binary on real files.
#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pqw/formats/weight_file.h"
#include "tests/cli/cli_testing.h"
#include "tests/formats/zip_building.h"
#include "tests/support/file_content.h"

namespace pqw {
namespace {

using test::content;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Cli = test::CliTest;
using test::Outcome;

TEST_F(Cli, QuantizeVerifyDecodeEval) {
  const Outcome quantize = run({"quantize", "model.safetensors", "-o", "model.h5"});
  EXPECT_EQ(quantize.status, 0) << quantize.err;
  EXPECT_THAT(quantize.out,
              HasSubstr("conv.weight  [64, 16, 3, 3]  pq     block_size=2,centroids=512"));
  EXPECT_THAT(quantize.out, HasSubstr("rank below 2"));
  EXPECT_THAT(quantize.err, HasSubstr("[2/3] fc.weight"));
  EXPECT_THAT(quantize.err, Not(HasSubstr("fc.bias"))) << "plain";
  EXPECT_THAT(quantize.err, HasSubstr(" M weights/s"));
  EXPECT_EQ(run({"verify", "model.h5"}).status, 0);
  EXPECT_EQ(run({"decode", "model.h5", "-o", "back.safetensors"}).status, 0);
  const Outcome archive = run({"eval", "model.safetensors", "model.h5"});
  const Outcome decoded = run({"eval", "model.safetensors", "back.safetensors"});
  EXPECT_EQ(archive.status, 0);
  EXPECT_EQ(decoded.status, 0) << decoded.err;
  EXPECT_EQ(open_weights(dir_ / "back.safetensors")->tensors(),
            open_weights(dir_ / "model.safetensors")->tensors());
}

TEST_F(Cli, JsonHasTheDocumentedFields) {
  const Outcome quantize = run(
      {"quantize", "model.safetensors", "-o", "m.h5", "--json", "--quiet", "--centroids", "16"});
  EXPECT_THAT(quantize.err, IsEmpty());
  const auto report = nlohmann::json::parse(quantize.out);
  const auto eval = nlohmann::json::parse(run({"eval", "model.safetensors", "m.h5", "--json"}).out);
  const auto inspect = nlohmann::json::parse(run({"inspect", "m.h5", "--json"}).out);
  for (const char* key : {"name", "shape", "codec", "bits_per_weight", "relative_error",
                          "amplitude", "sqnr_db", "max_abs_error", "cosine", "bytes"}) {
    EXPECT_TRUE(report["tensors"][0].contains(key)) << key;
    EXPECT_EQ(report["tensors"][0][key], eval["tensors"][0][key]) << key;
  }
  for (const char* key : {"original_bytes", "file_bytes", "ratio", "bits_per_weight",
                          "relative_error", "amplitude", "sqnr_db", "seconds"}) {
    EXPECT_TRUE(report["total"].contains(key)) << key;
  }
  EXPECT_EQ(report["total"]["file_bytes"], std::filesystem::file_size(dir_ / "m.h5"));
  EXPECT_EQ(report["total"]["relative_error"], eval["total"]["relative_error"]);
  EXPECT_EQ(inspect["tensors"][0]["settings"]["centroids"], 16);
  EXPECT_TRUE(inspect["total"]["relative_error"].is_null());
}

TEST_F(Cli, TheAmplitudeStandsBesideTheError) {
  const Outcome quantize = run({"quantize", "model.safetensors", "-o", "m.h5"});
  const Outcome eval = run({"eval", "model.safetensors", "m.h5"});
  for (const Outcome& outcome : {quantize, eval}) {
    EXPECT_THAT(outcome.out, HasSubstr("rel.error  amplitude  SQNR dB"));
    EXPECT_THAT(outcome.out, HasSubstr("1.0000"));
    EXPECT_THAT(outcome.out, HasSubstr("\namplitude: <w,v> / |w|^2"));
  }
  EXPECT_THAT(run({"inspect", "m.h5"}).out, Not(HasSubstr("amplitude")));
  const auto amplitude = [&](const std::string& gain) {
    const auto report =
        nlohmann::json::parse(run({"quantize", "model.safetensors", "-o", "m.h5", "--force",
                                   "--json", "--block-size", "4", "--gain", gain})
                                  .out);
    return report["total"]["amplitude"].get<double>();
  };
  EXPECT_NEAR(amplitude("unbiased"), 1, 1e-3);  // codebooks are rounded to 2^-11
  EXPECT_LT(amplitude("energy"), 0.99);
  EXPECT_LT(amplitude("least_squares"), amplitude("energy"));
}

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
  const Outcome few = quantize({"--centroids", "16"});
  EXPECT_EQ(few.status, 0);
  EXPECT_THAT(few.out,
              HasSubstr("\nwarning: 1.12 bits a weight, without int8 and plain tensors: "));
  EXPECT_THAT(run({"eval", "model.safetensors", "m.h5"}).out, HasSubstr("\nwarning: 1.12 bits"));
  // 64 * 38 * 4 + 1024 bits of 9600 weights; nor do 8 bits of the other hide it.
  EXPECT_THAT(quantize({"--centroids", "16", "--set", "conv:codec=int8"}).out,
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
    return std::pair(report["total"]["relative_error"].get<double>(),
                     report["verdict"]["command_to_halve_the_error"]);
  };
  const auto [error, command] =
      error_and_command({"--exclude", "bias$", "--seed", "3", "--block-size", "4"});
  EXPECT_EQ(command, fmt::format("pqw quantize 'my model.safetensors' -o m.h5 --force --exclude "
                                 "'bias$' --seed 3 --target-error {:.3g} --metric total",
                                 error / 2));
  EXPECT_THAT(run({"eval", "my model.safetensors", "m.h5"}).out,
              HasSubstr(fmt::format("\nhalf the error: pqw quantize 'my model.safetensors' -o m.h5 "
                                    "--force --target-error {:.3g} --metric total\n",
                                    error / 2)));
  const auto half = error_and_command({"--exclude", "bias$", "--seed", "3", "--target-error",
                                       fmt::format("{:.3g}", error / 2), "--metric", "total"});
  EXPECT_NEAR(half.first / error, 0.5, 0.1);
  // A rule would keep its own block size.
  EXPECT_TRUE(error_and_command({"--set", "conv:block_size=4"}).second.is_null());
}

TEST_F(Cli, ThinTensorsAreInt8UnlessACodecIsNamed) {
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
  EXPECT_EQ(codecs({}), "int8! int8! pq ");
  EXPECT_EQ(codecs({"--thin", "same"}), "pq int8! pq ") << "pq would not be smaller than int8";
  EXPECT_EQ(codecs({"--codec", "pq"}), "pq pq pq ");
  EXPECT_EQ(codecs({"--codec", "pq", "--thin", "int8"}), "int8! int8! pq ");
  EXPECT_EQ(codecs({"--set", "depth:codec=pq"}), "pq int8! pq ");
  EXPECT_EQ(codecs({"--exclude", "small"}), "int8! plain! pq ");
  EXPECT_THAT(run({"quantize", "thin.safetensors", "--dry-run"}).out, HasSubstr("thin: int8"));
  EXPECT_EQ(run({"quantize", "thin.safetensors", "--dry-run", "--thin", "plain"}).status, 2);
  const Outcome written = run({"quantize", "thin.safetensors", "-o", "t.h5", "--json"});
  const auto plan =
      nlohmann::json::parse(run({"quantize", "thin.safetensors", "--dry-run", "--json"}).out);
  EXPECT_EQ(plan["total"]["file_bytes"], std::filesystem::file_size(dir_ / "t.h5"));
  EXPECT_EQ(nlohmann::json::parse(written.out)["tensors"][0]["note"], "thin: int8");
}

TEST_F(Cli, DryRunTellsTheExactSizeAndWritesNothing) {
  const auto plan = nlohmann::json::parse(
      run({"quantize", "model.safetensors", "--dry-run", "--json", "-o", "m.h5"}).out);
  EXPECT_FALSE(exists("m.h5"));
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  EXPECT_EQ(plan["total"]["file_bytes"], std::filesystem::file_size(dir_ / "m.h5"));
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
  EXPECT_EQ(report["tensors"][1]["codec"], "pq");
}

TEST_F(Cli, FailuresAreOneLineAndExitOne) {
  expect_failure(run({"quantize", "none.safetensors", "-o", "m.h5"}), "none.safetensors: cannot");
  expect_failure(run({"quantize", "model.safetensors", "-o", "m.h5", "--include", "decoder"}),
                 "pattern 'decoder' matches no tensor");
  std::ofstream(dir_ / "r.yaml") << "defaults:\n  centroids: 1\n";
  expect_failure(run({"quantize", "model.safetensors", "-o", "m.h5", "--recipe", "r.yaml"}),
                 "r.yaml: line 2: centroids=1");
  expect_failure(run({"quantize", "model.safetensors", "-o", "none/m.h5"}), "none/m.h5");
  expect_failure(run({"decode", "model.safetensors", "-o", "x.npz"}), "not a pqw archive");
  expect_failure(run({"verify", "/dev/null"}), "regular file");
  EXPECT_FALSE(exists("m.h5"));
}

TEST_F(Cli, UsageErrorsExitTwo) {
  EXPECT_EQ(run({}).status, 2);
  EXPECT_EQ(run({"compress"}).status, 2);
  EXPECT_EQ(run({"quantize"}).status, 2);
  EXPECT_EQ(run({"quantize", "model.safetensors"}).status, 2) << "no output";
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--threads", "0"}).status, 2);
  EXPECT_EQ(run({"eval", "model.safetensors"}).status, 2);
  const std::pair<std::string, std::string> mistakes[] = {
      {"--block-size", "0"},  {"--gain", "best"},  {"--centroids", "1"},
      {"--iterations", "-1"}, {"--set", "fc"},     {"--set", "fc:codec=zip"},
      {"--include", "("},     {"--engine", "none"}};
  for (const auto& [flag, value] : mistakes) {
    const Outcome outcome = run({"quantize", "model.safetensors", "-o", "m.h5", flag, value});
    EXPECT_EQ(outcome.status, 2) << flag;
    EXPECT_THAT(outcome.err, HasSubstr(value.substr(value.find(':') + 1)));
  }
  EXPECT_FALSE(exists("m.h5"));
}

TEST_F(Cli, WrongCommandLinesAreOneLineAndSayWhatWasMeant) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--centroids", "16"});
  using Words = std::vector<std::string>;
  const std::pair<Words, std::string> mistakes[] = {
      {{},
       "a verb is required: quantize, decode, inspect, verify, eval or bench; see 'pqw --help'"},
      {{"quantise"},
       "unknown verb 'quantise': expected quantize, decode, inspect, verify, eval or "
       "bench; did you mean 'quantize'?"},
      {{"compress"},
       "unknown verb 'compress': expected quantize, decode, inspect, verify, eval or "
       "bench; see 'pqw --help'"},
      {{"--verison"}, "unknown flag '--verison'; did you mean '--version'?"},
      {{"--quiet", "verify", "m.h5"}, "unknown flag '--quiet': flags follow the verb; see"},
      {{"inspect"}, "FILE is required; see 'pqw inspect --help'"},
      {{"eval", "m.h5", "m.h5", "--max-error", "nan"},
       "--max-error: 'nan': expected a number; see"},
      {{"inspect", "m.h5", "m.h5"}, "unexpected argument 'm.h5'; see 'pqw inspect --help'"},
      {{"inspect", "--jsn"}, "unknown flag '--jsn'; did you mean '--json'?"},
      {{"decode", "m.h5", "-o", "x.npz", "-force"}, "'-force'; did you mean '--force'?"},
      {{"bench", "m.h5", "--precision", "exakt"},
       "--precision: 'exakt': expected exact, high or fast; did you mean 'exact'?"},
      {{"bench", "m.h5", "--method", "batch_lookup"}, "did you mean 'batch-lookup'?"}};
  for (const auto& [arguments, message] : mistakes) {
    expect_error(run(arguments), 2, message);
  }
  const std::pair<Words, std::string> of_quantize[] = {
      {{"--blocksize", "4"}, "unknown flag '--blocksize'; did you mean '--block-size'?"},
      {{"--block_size=4"}, "unknown flag '--block_size'; did you mean '--block-size'?"},
      {{"--centroid", "4"}, "did you mean '--centroids'?"},
      {{"\u2013centroids", "4"}, "did you mean '--centroids'?"},
      {{"--tolerance", "-1"}, "tolerance=-1"},
      {{"--block-size"}, "--block-size: a value is missing; see"},
      {{"--seed", "1", "--seed", "2"}, "--seed is given more than once; see"},
      {{"--codec", "lowrank"},
       "codec=lowrank: expected plain, pq, int8, low_rank or tensorized; did "
       "you mean 'low_rank'?"},
      {{"--recipe", ""}, "--recipe: expected a file"},
      {{"--set", "fc:blocksize=4"}, "--set: codec pq: unknown option 'blocksize'"},
      {{"--set", "(:seed=4"}, "--set: pattern '(': missing )"},
      {{"--set", "fc"}, "--set: 'fc': expected PATTERN:key=value"},
      {{"--include", "("}, "--include: pattern '(': missing )"},
      {{"--exclude", "fc", "--exclude", "*"}, "--exclude: pattern '*': no argument"},
      {{"--factors", "pq"}, "--factors: 'pq': expected key=value"},
      {{"-o", "-"}, "--output is given more than once; see"}};
  for (const auto& [more, message] : of_quantize) {
    Words arguments = {"quantize", "model.safetensors", "-o", "n.h5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    expect_error(run(arguments), 2, message);
  }
  expect_error(run({"quantize", "model.safetensors", "n.h5"}), 2,
               "unexpected argument 'n.h5': name the output with -o; see 'pqw quantize --help'");
  expect_error(run({"quantize", "--", "model.safetensors", "-o", "n.h5"}), 2,
               "unexpected argument '-o': arguments after '--' are not flags; see");
  expect_error(run({"quantize", "--", "model.safetensors", "n.h5"}), 2,
               "unexpected argument 'n.h5': name the output with -o; see");
  expect_error(run({"decode", "m.h5", "-o", "x.npy", "--tensor", "("}), 2,
               "--tensor: pattern '(': missing )");
  expect_error(run({"bench", "m.h5", "--tensor", "("}), 2, "--tensor: pattern '(': missing )");
  EXPECT_FALSE(exists("n.h5"));
}

TEST_F(Cli, AnOutputThatIsAnInputIsRefused) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--centroids", "16"});
  std::filesystem::create_symlink("model.safetensors", dir_ / "link.safetensors");
  std::filesystem::create_hard_link(dir_ / "m.h5", dir_ / "hard.npz");
  std::ofstream(dir_ / "r.yaml") << "defaults: {centroids: 16}\n";
  std::filesystem::copy_file(dir_ / "model.safetensors", dir_ / "n.h5.pqw.tmp");
  const std::string model = content(dir_ / "model.safetensors"), archive = content(dir_ / "m.h5");
  const std::vector<std::string> lines[] = {
      {"quantize", "model.safetensors", "-o", "model.safetensors"},
      {"quantize", "model.safetensors", "-o", "./model.safetensors"},
      {"quantize", "link.safetensors", "-o", "model.safetensors"},
      {"quantize", "model.safetensors", "-o", "link.safetensors"},
      {"quantize", "model.safetensors", "-o", "link.safetensors", "--dry-run"},
      {"quantize", "model.safetensors", "-o", "model.safetensors", "--resume"},
      {"quantize", "model.safetensors", "-o", "r.yaml", "--recipe", "r.yaml"},
      {"quantize", "n.h5.pqw.tmp", "-o", "n.h5"},
      {"decode", "m.h5", "-o", "m.h5"},
      {"decode", "m.h5", "-o", "hard.npz"}};
  for (std::vector<std::string> line : lines) {
    const std::string message = (line[3] == "r.yaml" ? "r.yaml" : line[1]) +
                                ": input and output are the same file: " + line[3];
    expect_failure(run(line), message);
    line.push_back("--force");
    expect_failure(run(line), message);
  }
  EXPECT_TRUE(content(dir_ / "model.safetensors") == model);
  EXPECT_TRUE(content(dir_ / "n.h5.pqw.tmp") == model);
  EXPECT_TRUE(content(dir_ / "m.h5") == archive);
  EXPECT_EQ(content(dir_ / "r.yaml"), "defaults: {centroids: 16}\n");
}

TEST_F(Cli, NamesOfOtherFormatsAreRefused) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--centroids", "16"});
  for (const char* more : {"--force", "--dry-run"}) {
    expect_failure(run({"quantize", "model.safetensors", "-o", "n.onnx", more}),
                   "n.onnx: an archive is an HDF5 file: expected the extension .h5, .hdf5 or .pqw");
  }
  expect_failure(run({"decode", "m.h5", "-o", "x.foo"}), "x.foo: unknown extension '.foo'");
  expect_failure(run({"decode", "m.h5", "-o", "x.safetensor"}), "did you mean '.safetensors'?");
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

TEST_F(Cli, FilesAreNamedForWhatTheyAre) {
  const std::pair<const char*, const char*> files[] = {
      {"model.safetensors.index.json", "{\"weight_map\": {\"a\": \"b.safetensors\"}}"},
      {"m.gz", "\x1f\x8b\x08"},
      {"page.safetensors", "<!doctype html>"}};
  const char* what[] = {"the index of a model in several files", "packed by gzip", "an HTML page"};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string name = files[i].first;
    std::ofstream(dir_ / name) << files[i].second;
    expect_failure(run({"quantize", name, "-o", "m.h5"}), name + ": the file is " + what[i]);
    expect_failure(run({"inspect", name}), name + ": the file is " + what[i]);
    expect_failure(run({"verify", name}), name + ": not a pqw archive, but " + what[i]);
  }
  std::filesystem::create_directory(dir_ / "folder");
  for (const char* verb : {"inspect", "verify", "bench"}) {
    expect_failure(run({verb, "folder"}),
                   "folder: a folder, not a regular file; name a file in it");
  }
  for (const char* verb : {"verify", "bench"}) {
    expect_failure(run({verb, "model.safetensors"}),
                   "not a pqw archive, but a safetensors file, which can be compressed into one");
  }
}

TEST_F(Cli, EveryVerbHasHelpWithAnExample) {
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_THAT(run({"--version"}).out, StartsWith("pqw "));
  for (const char* verb : {"quantize", "decode", "inspect", "verify", "eval", "bench"}) {
    const Outcome help = run({verb, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr(std::string("Example:\n  pqw ") + verb));
  }
}

TEST_F(Cli, BenchTimesEveryCompressedTensor) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--centroids", "16"});
  const Outcome bench = run({"bench", "m.h5", "--batch", "1,3", "--threads", "1", "--json"});
  EXPECT_EQ(bench.status, 0) << bench.err;
  EXPECT_THAT(bench.err, HasSubstr("[2/2] fc.weight [64, 150]\n"));
  const auto report = nlohmann::json::parse(bench.out);
  EXPECT_EQ(report["threads"], 1);
  EXPECT_EQ(report["precision"], "high");
  ASSERT_EQ(report["tensors"].size(), 2u);
  EXPECT_EQ(report["tensors"][1]["name"], "fc.weight");
  EXPECT_EQ(report["tensors"][1]["code_bytes"], 64 * 38 / 2);  // 4 bits for each of 38 blocks
  for (const auto& tensor : report["tensors"]) {
    ASSERT_EQ(tensor["batches"].size(), 2u);
    EXPECT_EQ(tensor["batches"][1]["batch"], 3);
    for (const auto& times : tensor["batches"]) {
      EXPECT_GT(times["dense_us"], 0);
      EXPECT_GT(times["served_us"], 0);
      EXPECT_GT(times["code_gb_per_s"], 0);
      EXPECT_LT(times["dense_error"], 1e-5);
      EXPECT_LT(times["error"], 1e-4);
      EXPECT_TRUE(times["as_documented"]);
      EXPECT_NE(times["kernel"], "");
    }
  }
}

TEST_F(Cli, BenchDoesAsItIsTold) {
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  const Outcome table = run({"bench", "m.h5", "--tensor", "^fc", "--batch", "2", "--precision",
                             "exact", "--method", "lookup", "--quiet"});
  EXPECT_EQ(table.status, 0);
  EXPECT_THAT(table.err, IsEmpty());
  EXPECT_THAT(table.out, StartsWith("tensor     shape"));
  EXPECT_THAT(table.out, HasSubstr("fc.weight  [64, 150]  pq"));
  EXPECT_THAT(table.out, Not(HasSubstr("conv")));
  EXPECT_EQ(std::count(table.out.begin(), table.out.end(), '\n'), 2) << table.out;
  expect_failure(run({"bench", "m.h5", "--tensor", "decoder"}), "matches no tensor");
  expect_failure(run({"bench", "m.h5", "--tensor", "bias"}), "no compressed tensor matches 'bias'");
  expect_failure(run({"bench", "model.safetensors"}), "model.safetensors");
  EXPECT_EQ(run({"bench", "m.h5", "--precision", "low"}).status, 2);
  EXPECT_EQ(run({"bench", "m.h5", "--method", "magic"}).status, 2);
  EXPECT_EQ(run({"bench", "m.h5", "--batch", "0"}).status, 2);
}

TEST_F(Cli, BenchWithAMethodLeavesOutWeightsThatHaveNone) {
  run({"quantize", "model.safetensors", "-o", "m.h5", "--set", "conv:codec=int8"});
  const std::vector<std::string> bench = {"bench",    "m.h5",   "--batch", "1",
                                          "--method", "lookup", "--json"};
  const Outcome outcome = run(bench);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("left out, because --method applies to pq weights only: "
                                     "1 of 2 tensors"));
  const auto report = nlohmann::json::parse(outcome.out);
  ASSERT_EQ(report["tensors"].size(), 1u);
  EXPECT_EQ(report["tensors"][0]["name"], "fc.weight");
  EXPECT_EQ(report["left_out"], nlohmann::json({"conv.weight"}));
  std::vector<std::string> only_int8 = bench;
  only_int8.insert(only_int8.end(), {"--tensor", "conv", "--quiet"});
  expect_failure(run(only_int8),
                 "m.h5: none of the chosen tensors has codec pq: --method chooses how");
}

TEST_F(Cli, ExistingOutputsNeedForce) {
  std::ofstream(dir_ / "m.h5") << "precious";
  expect_failure(run({"quantize", "model.safetensors", "-o", "m.h5"}),
                 "m.h5: exists already; --force replaces it");
  EXPECT_EQ(content(dir_ / "m.h5"), "precious");
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--force"}).status, 0);
  std::ofstream(dir_ / "x.npz") << "precious";
  expect_failure(run({"decode", "m.h5", "-o", "x.npz"}),
                 "x.npz: exists already; --force replaces it");
  EXPECT_EQ(run({"decode", "m.h5", "-o", "x.npz", "--force"}).status, 0);
}

TEST_F(Cli, ControlCharactersInNamesAreEscaped) {
  write_model("evil.safetensors", {"a\x1b[2Jb", "fc\nweight"});
  const Outcome outcome = run({"quantize", "evil.safetensors", "-o", "m.h5"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("a\\x1b[2Jb"));
  EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("\x1b")));
  EXPECT_THAT(outcome.out, HasSubstr("fc\\nweight"));
}

TEST_F(Cli, InterruptLeavesNoFileBehind) {
  const pid_t child = start_long_run();
  ASSERT_TRUE(wait_for(child, "m.h5.pqw.tmp"));
  ::kill(child, SIGSTOP);
  ASSERT_EQ(::waitpid(child, nullptr, WUNTRACED), child);
  // Nor may a second run write the same file meanwhile.
  expect_failure(run({"quantize", "model.safetensors", "-o", "m.h5"}),
                 "m.h5: somebody else is writing it");
  ::kill(child, SIGINT);
  ::kill(child, SIGCONT);
  const Outcome outcome = finish(child);
  EXPECT_EQ(outcome.status, 128 + SIGINT);
  EXPECT_THAT(outcome.err, HasSubstr("pqw: interrupted; the output is as it was"));
  EXPECT_THAT(files("m.h5"), IsEmpty());
}

TEST_F(Cli, KilledRunLeavesTheOldFileAndTheNextOneCleansUp) {
  ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5"}).status, 0);
  const std::string before = content(dir_ / "m.h5");
  const pid_t child = start_long_run();
  ASSERT_TRUE(wait_for(child, "m.h5.pqw.tmp"));
  ::kill(child, SIGKILL);
  EXPECT_EQ(finish(child).status, 128 + SIGKILL);
  EXPECT_TRUE(exists("m.h5.pqw.tmp"));
  EXPECT_TRUE(content(dir_ / "m.h5") == before);
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--force"}).status, 0);
  EXPECT_FALSE(exists("m.h5.pqw.tmp"));
}

TEST_F(Cli, FailuresSayWhatBecameOfTheOutput) {
  std::ofstream(dir_ / "bad.safetensors") << "bad";
  expect_failure(run({"quantize", "bad.safetensors", "-o", "m.h5"}), "; m.h5 was not written");
  ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5"}).status, 0);
  expect_failure(run({"quantize", "bad.safetensors", "-o", "m.h5", "--force"}),
                 "; m.h5 is as it was");
}

TEST_F(Cli, TalkThatCannotBeWrittenChangesNothing) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::dup2(::open("/dev/full", O_WRONLY), STDERR_FILENO);
    const std::string model = dir_ / "model.safetensors", archive = dir_ / "m.h5";
    ::execl(PQW_COMMAND, PQW_COMMAND, "quantize", model.c_str(), "-o", archive.c_str(), nullptr);
    ::_exit(127);
  }
  EXPECT_EQ(finish(child).status, 0);
  EXPECT_TRUE(exists("m.h5"));
  const pid_t failing = ::fork();
  if (failing == 0) {
    ::close(STDERR_FILENO);
    ::execl(PQW_COMMAND, PQW_COMMAND, "verify", "/nothing/here", nullptr);
    ::_exit(127);
  }
  EXPECT_EQ(finish(failing).status, 1);
}

TEST_F(Cli, OutputThatCannotBeWrittenIsAnError) {
  for (const char* flag : {"--version", "--help"}) {
    const Outcome outcome =
        run({flag}, [] { ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO); });
    expect_failure(outcome, "cannot write to standard output");
  }
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/full", O_WRONLY), STDOUT_FILENO);
    ::dup2(::open("/dev/null", O_WRONLY), STDERR_FILENO);
    const std::string archive = dir_ / "m.h5";
    ::execl(PQW_COMMAND, PQW_COMMAND, "inspect", archive.c_str(), nullptr);
    ::_exit(127);
  }
  EXPECT_EQ(finish(child).status, 1);
}

TEST_F(Cli, OutputOfQuantizeThatCannotBeWrittenLeavesACompleteArchive) {
  const std::string command = std::string("cd ") + dir_.path().string() + " && " PQW_COMMAND +
                              " quantize model.safetensors -o m.h5 >/dev/full 2>message";
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_THAT(content(dir_ / "message"), HasSubstr("; m.h5 is complete"));
  EXPECT_EQ(run({"verify", "m.h5"}).status, 0);
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
