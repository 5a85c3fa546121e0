// The command-line tool as its users meet it: the real binary on real files.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "pqw/formats/weight_file.h"
#include "tests/cli/cli_testing.h"
#include "tests/formats/zip_building.h"

namespace pqw {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

using Cli = test::CliTest;
using test::Outcome;

TEST_F(Cli, QuantizeVerifyDecodeEval) {
  const Outcome quantize = run({"quantize", "model.safetensors", "-o", "model.h5"});
  EXPECT_EQ(quantize.status, 0) << quantize.err;
  EXPECT_THAT(quantize.out, HasSubstr("conv.weight  [64, 16, 3, 3]  conv    tcq    step="));
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
       "a verb is required: quantize, calibrate, import, decode, export, inspect, verify, eval, "
       "sensitivity or bench; see "
       "'pqw "
       "--help'"},
      {{"quantise"},
       "unknown verb 'quantise': expected quantize, calibrate, import, decode, export, inspect, "
       "verify, eval, sensitivity or bench; did you mean 'quantize'?"},
      {{"compress"},
       "unknown verb 'compress': expected quantize, calibrate, import, decode, export, inspect, "
       "verify, eval, sensitivity or bench; see 'pqw --help'"},
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
       "codec=lowrank: expected plain, pq, int8, low_rank, tensorized or tcq; did "
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

TEST_F(Cli, FilesAreNamedForWhatTheyAre) {
  const std::pair<const char*, const char*> files[] = {{"config.json", "{\"hidden_size\": 768}"},
                                                       {"m.bz2", "BZh91AY"},
                                                       {"page.safetensors", "<!doctype html>"}};
  const char* what[] = {"JSON text", "packed by bzip2", "an HTML page"};
  for (std::size_t i = 0; i < 3; ++i) {
    const std::string name = files[i].first;
    std::ofstream(dir_ / name) << files[i].second;
    expect_failure(run({"quantize", name, "-o", "m.h5"}), name + ": the file is " + what[i]);
    expect_failure(run({"inspect", name}), name + ": the file is " + what[i]);
    expect_failure(run({"verify", name}), name + ": not a pqw archive, but " + what[i]);
  }
  std::filesystem::create_directory(dir_ / "folder");
  expect_failure(run({"inspect", "folder"}), "folder: a folder without *.safetensors");
  for (const char* verb : {"verify", "bench"}) {
    expect_failure(run({verb, "folder"}), "folder: a folder without the archive model.h5");
  }
  for (const char* verb : {"verify", "bench"}) {
    expect_failure(run({verb, "model.safetensors"}),
                   "not a pqw archive, but a safetensors file, which can be compressed into one");
  }
}

TEST_F(Cli, EveryVerbHasHelpWithAnExample) {
  EXPECT_EQ(run({"--help"}).status, 0);
  EXPECT_THAT(run({"--version"}).out, StartsWith("pqw "));
  for (const char* verb : {"quantize", "calibrate", "import", "decode", "export", "inspect",
                           "verify", "eval", "bench"}) {
    const Outcome help = run({verb, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr(std::string("Example:\n  pqw ") + verb));
  }
}

TEST_F(Cli, ControlCharactersInNamesAreEscaped) {
  write_model("evil.safetensors", {"a\x1b[2Jb", "fc\nweight"});
  const Outcome outcome = run({"quantize", "evil.safetensors", "-o", "m.h5"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("a\\x1b[2Jb"));
  EXPECT_THAT(outcome.out + outcome.err, Not(HasSubstr("\x1b")));
  EXPECT_THAT(outcome.out, HasSubstr("fc\\nweight"));
}

}  // namespace
}  // namespace pqw
