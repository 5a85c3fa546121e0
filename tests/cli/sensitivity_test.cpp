// pqw sensitivity with small shell commands.
#include <nlohmann/json.hpp>

#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// The score is the number of bytes that differ from the original; less is better.
constexpr const char* kCountBytes = "cmp -l model.safetensors {} | wc -l";

class SensitivityVerb : public test::CliTest {
 protected:
  std::vector<std::string> words(const std::string& command,
                                 std::vector<std::string> more = {}) const {
    std::vector<std::string> all = {"sensitivity",     "model.safetensors", "--eval",
                                    command,           "--lower-is-better", "--at",
                                    "codec=tcq,bits=3"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  test::Outcome measure(const std::string& command, std::vector<std::string> more = {}) const {
    return run(words(command, std::move(more)));
  }
};

TEST_F(SensitivityVerb, RanksTensorsAndWritesARecipeForATarget) {
  const test::Outcome outcome = measure(kCountBytes, {"--output-recipe", "r.yaml"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("score of the original: 0\n"),
                                 HasSubstr("point 1, all tensors with codec=tcq,bits=3: score "),
                                 HasSubstr("\npqw quantize model.safetensors -o model.h5 --recipe "
                                           "r.yaml --target-bpw 3\n")));
  // fc.weight has 9600 weights, conv.weight 9216; nearly all bytes of each differ.
  EXPECT_LT(outcome.out.find("fc.weight"), outcome.out.find("conv.weight"));
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("[1/64] the original: score 0, harm 0"),
                                 HasSubstr("codec=tcq,bits=3: tensor 'fc.weight': score ")));
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--recipe", "r.yaml",
                 "--target-bpw", "6"})
                .status,
            0);
}

TEST_F(SensitivityVerb, TheHarmOfAllIsTheSumIfTheScoreIs) {
  const json report = json::parse(measure(kCountBytes, {"--json", "--jobs", "2"}).out);
  const json& tensors = report["tensors"];
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(report["points"][0]["harm"],
            tensors[0]["harm"].get<double>() + tensors[1]["harm"].get<double>());
  EXPECT_GT(tensors[0]["harm"], 0);
  EXPECT_EQ(report["runs"], 4);
  EXPECT_TRUE(report["target"].is_null());
}

TEST_F(SensitivityVerb, FindsTheSmallestArchiveAndTheCommandThatMakesIt) {
  // A score that counts tensors with an error of more than 0.05: none is allowed.
  test::set_content(dir_ / "score.sh",
                    std::string(PQW_COMMAND) +
                        " eval model.safetensors \"$1\" --max-error 0.05 > eval.txt && echo 0 || "
                        "echo 1\n");
  const test::Outcome outcome = measure(
      "sh score.sh {}", {"--max-loss", "0", "--output-recipe", "r.yaml", "--json", "--quiet"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const json report = json::parse(outcome.out);
  EXPECT_EQ(report["command"], "pqw quantize model.safetensors -o model.h5 --recipe r.yaml");
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "model.h5", "--recipe", "r.yaml"}).status,
            0);
  EXPECT_EQ(report["target"]["file_bytes"], std::filesystem::file_size(dir_ / "model.h5"));
  EXPECT_EQ(run({"eval", "model.safetensors", "model.h5", "--max-error", "0.05"}).status, 0);
}

TEST_F(SensitivityVerb, ContinuesFromFinishedScores) {
  const std::string command = "sh score.sh {}";
  const std::string count = "echo run >> log.txt\ncmp -l model.safetensors \"$1\" | wc -l\n";
  test::set_content(dir_ / "score.sh", "test -e log.txt && exit 1\n" + count);
  expect_failure(measure(command, {"--resume", "s.json", "--quiet"}),
                 "the command ended with exit code 1");
  test::set_content(dir_ / "score.sh", count);
  const test::Outcome second = measure(command, {"--resume", "s.json"});
  EXPECT_THAT(second.err, HasSubstr("[1/64] the original: score 0, harm 0 (known)\n"));
  EXPECT_EQ(test::content(dir_ / "log.txt"), "run\nrun\nrun\nrun\n");
  EXPECT_EQ(measure(command, {"--resume", "s.json"}).out, second.out);
  EXPECT_EQ(test::content(dir_ / "log.txt"), "run\nrun\nrun\nrun\n");
  expect_failure(measure("sh score.sh  {}", {"--resume", "s.json", "--quiet"}),
                 "s.json: its scores are of another command; remove it or name another file");
  expect_failure(measure(command, {"--resume", "s.json", "--quiet", "--exclude", "conv"}),
                 "s.json: its scores are of another model, settings or version");
  test::set_content(dir_ / "t.json", "{}");
  expect_failure(measure(command, {"--resume", "t.json"}), "t.json: is not a file of scores");
}

TEST_F(SensitivityVerb, CommandsThatFailAreOneErrorWithTheEndOfTheirOutput) {
  const std::pair<const char*, const char*> commands[] = {
      {"echo first; echo no model >&2; exit 3; : {}",
       "the command ended with exit code 3; it printed last: no model: echo first"},
      {"echo accuracy 3; : {}", "printed no line that is a number; it printed last: accuracy 3"},
      {"echo nan; : {}", "the command printed the score nan"},
      {"echo 3; echo 1e400; : {}", "the command printed the score inf"},
      {": {}", "printed no line that is a number; it printed nothing"},
      {"kill -9 $$; : {}", "was ended by signal 9"}};
  for (const auto& [command, message] : commands) {
    expect_failure(measure(command, {"--quiet"}), message);
  }
  expect_failure(measure("echo 1; : {}", {"--output-recipe", "none/r.yaml"}),
                 "none/r.yaml: its folder does not exist; create it first");
  expect_failure(measure("echo 1; : {}", {"--svg", "none/h.svg"}),
                 "none/h.svg: its folder does not exist; create it first");
  expect_failure(measure("echo 1; : {}", {"--include", "zzz"}),
                 "--include: pattern 'zzz' matches no tensor");
  EXPECT_THAT(files("r.yaml"), IsEmpty());
}

TEST_F(SensitivityVerb, TheLastNumberCountsAndPathsAreQuoted) {
  write_model("it's.safetensors", {"fc.weight"}, {{64, 150}});
  const test::Outcome outcome =
      run({"sensitivity", "it's.safetensors", "--eval",
           "test -e {} && echo 1 && echo 2.5e1 && echo x", "--higher-is-better"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("score of the original: 25\n"));
  EXPECT_THAT(outcome.out, HasSubstr("all importances are 1"));
}

TEST_F(SensitivityVerb, DrawsTheHarmOfEachTensor) {
  EXPECT_EQ(measure(kCountBytes, {"--svg", "h.svg"}).status, 0);
  EXPECT_THAT(test::content(dir_ / "h.svg"),
              AllOf(testing::StartsWith("<svg "), HasSubstr("<title>conv.weight: "),
                    HasSubstr("<title>fc.weight: "), Not(HasSubstr("bias")),
                    testing::EndsWith("</svg>\n")));
}

TEST_F(SensitivityVerb, ASignalEndsTheCommandAndLeavesNothing) {
  const pid_t child =
      start(words("touch started; sleep 1000; touch ended; : {}", {"--output-recipe", "r.yaml"}));
  ASSERT_TRUE(wait_for(child, "started"));
  ::kill(child, SIGTERM);
  EXPECT_EQ(finish(child).status, 128 + SIGTERM);
  EXPECT_THAT(files("r.yaml"), IsEmpty());
  EXPECT_FALSE(exists("ended"));
}

TEST_F(SensitivityVerb, TakesErrorsOfOutputsInPlaceOfACommand) {
  write_model("x.npz", {"fc.weight"}, {{400, 150}});
  ASSERT_EQ(run({"calibrate", "x.npz", "--model", "model.safetensors", "-o", "s.h5"}).status, 0);
  const std::vector<std::string> words = {"sensitivity", "model.safetensors", "--calibration",
                                          "s.h5",        "--output-recipe",   "r.yaml",
                                          "--force"};
  const test::Outcome table = run(words);
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, AllOf(HasSubstr("mean error of the outputs "), HasSubstr(" outputs\n"),
                               HasSubstr(" weights\n"),
                               HasSubstr("--recipe r.yaml --calibration s.h5 --target-bpw 3")));
  EXPECT_THAT(table.out, Not(HasSubstr("score")));
  std::vector<std::string> as_json = words;
  as_json.push_back("--json");
  const json report = json::parse(run(as_json).out);
  EXPECT_TRUE(report["score"].is_null());
  EXPECT_EQ(report["runs"], 0);
  EXPECT_EQ(report["tensors"][0]["has_outputs"], false);  // conv.weight
  const json& fc = report["tensors"][1];
  EXPECT_EQ(fc["has_outputs"], true);
  ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5", "--codec", "tcq", "--bits", "2.5",
                 "--calibration", "s.h5"})
                .status,
            0);
  const json measured = json::parse(
      run({"eval", "model.safetensors", "m.h5", "--calibration", "s.h5", "--json"}).out);
  EXPECT_EQ(fc["points"][1]["harm"], measured["tensors"][1]["output_error"]);
  EXPECT_THAT(test::content(dir_ / "r.yaml"), HasSubstr("importance: "));
}

TEST_F(SensitivityVerb, ACommandGetsFolders) {
  std::filesystem::create_directory(dir_ / "model");
  write_model("model/model.safetensors", {"fc.weight", "b.weight"}, {{64, 150}, {64, 150}});
  const test::Outcome outcome = run({"sensitivity", "model/", "--eval",
                                     "cmp -l model/model.safetensors {}/*.safetensors | wc -l",
                                     "--lower-is-better", "--output-recipe", "r.yaml"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("score of the original: 0\n"), HasSubstr("b.weight"),
                                 HasSubstr("pqw quantize model/ -o model-pqw/ --recipe r.yaml")));
}

TEST_F(SensitivityVerb, MistakesAreUsageErrors) {
  const auto usage = [&](std::vector<std::string> more, const std::string& message) {
    more.insert(more.begin(), {"sensitivity", "model.safetensors"});
    expect_error(run(more), 2, message);
  };
  usage({"--lower-is-better"}, "expected --eval COMMAND or --calibration FILE");
  usage({"--calibration", "s.h5", "--max-loss", "1"},
        "--max-loss: has no effect without --eval COMMAND");
  usage({"--eval", "echo 1 {}"}, "say what a better score is: --higher-is-better");
  usage({"--eval", "echo 1 {}", "--higher-is-better", "--lower-is-better"}, "exclude each other");
  usage({"--eval", "echo 1", "--lower-is-better"}, "the command has no {}");
  usage({"--eval", "echo 1 {}", "--lower-is-better", "--max-loss", "1"},
        "--max-loss: needs --output-recipe FILE");
  usage({"--eval", "echo 1 {}", "--lower-is-better", "--at", "codec=tcc"},
        "--at: codec=tcc: expected ");
  usage({"--eval", "echo 1 {}", "--lower-is-better", "--output-recipe", "model.safetensors",
         "--force"},
        "model.safetensors: input and output are the same file");
  usage({"--eval", "echo 1 {}", "--lower-is-better", "--svg", "model.safetensors", "--force"},
        "model.safetensors: input and output are the same file");
  EXPECT_EQ(run({"quantize", "model.safetensors", "-o", "m.h5"}).status, 0);
  expect_failure(run({"sensitivity", "m.h5", "--eval", "echo 1 {}", "--lower-is-better"}),
                 "m.h5: is a pqw archive already");
}

}  // namespace
}  // namespace pqw
