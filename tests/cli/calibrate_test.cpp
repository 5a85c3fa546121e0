// pqw calibrate, and eval with its statistics.
#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class CalibrateVerb : public test::CliTest {
 protected:
  void SetUp() override {
    CliTest::SetUp();
    write_model("inputs.npz", {"fc.weight"}, {{4, 10, 150}});
  }

  test::Outcome calibrate(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"calibrate",         "inputs.npz", "--model",
                                          "model.safetensors", "-o",         "stats.h5"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
};

TEST_F(CalibrateVerb, TellsWhatTheFileHolds) {
  const test::Outcome outcome = calibrate();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, ContainsRegex("fc.weight +\\[64, 150\\] +150 +35 +5 +whole\n"));
  EXPECT_EQ(outcome.err, "1 weight without inputs: 'conv.weight'\n");
  EXPECT_THAT(calibrate({"--force", "--gram-block", "64"}).out,
              ContainsRegex("150 +35 +5 +blocks of 64\n"));
  EXPECT_THAT(calibrate({"--force", "--gram-block", "0", "--held-out", "2"}).out,
              ContainsRegex("150 +38 +2 +none\n"));
}

TEST_F(CalibrateVerb, EvalShowsTheErrorOfOutputsBesideTheErrorOfWeights) {
  calibrate();
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  const test::Outcome with =
      run({"eval", "model.safetensors", "m.h5", "--calibration", "stats.h5"});
  EXPECT_EQ(with.status, 0) << with.err;
  EXPECT_THAT(with.out, ContainsRegex("rel.error +out.error +amplitude"));
  EXPECT_THAT(with.out, ContainsRegex("conv.weight .* 0\\.0[0-9]+ +- "));
  EXPECT_THAT(with.out, ContainsRegex("fc.weight .* 0\\.0[0-9]+ +0\\.0[0-9]+ "));
  EXPECT_THAT(with.out, ContainsRegex("total of 3 .* 0\\.0[0-9]+ +0\\.0[0-9]+ "));
  EXPECT_THAT(with.out, Not(HasSubstr("--target-error")));  // it excludes --calibration
  const std::string without = run({"eval", "model.safetensors", "m.h5"}).out;
  EXPECT_THAT(without, Not(HasSubstr("out.error")));
  EXPECT_THAT(without, HasSubstr("--target-error"));
}

TEST_F(CalibrateVerb, TargetsTellBothErrors) {
  calibrate();
  const std::vector<std::string> arguments = {"quantize", "model.safetensors", "-o", "m.h5",
                                              "--force",  "--target-bpw",      "6"};
  EXPECT_THAT(run(arguments).err, ContainsRegex("found: [0-9]+ bytes, mean error 0\\.[0-9]+"));
  std::vector<std::string> with = arguments;
  with.insert(with.end(), {"--calibration", "stats.h5"});
  EXPECT_THAT(run(with).err, ContainsRegex("found: [0-9]+ bytes, mean error of weights "
                                           "[0-9.]+, output error 0\\.[0-9]+"));
}

TEST_F(CalibrateVerb, BadStatisticsAreOneLine) {
  calibrate();
  run({"quantize", "model.safetensors", "-o", "m.h5"});
  const auto eval = [&](const std::string& model, const std::string& statistics) {
    return run({"eval", model, model == "model.safetensors" ? "m.h5" : model, "--calibration",
                statistics});
  };
  write_model("other.safetensors", {"fc.weight"}, {{64, 150}});
  expect_failure(eval("other.safetensors", "stats.h5"),
                 "stats.h5: statistics of another model: names or shapes of its tensors are not "
                 "those of other.safetensors; make statistics with pqw calibrate --model "
                 "other.safetensors");
  expect_failure(eval("model.safetensors", "m.h5"), "m.h5: not a file of input statistics");
  expect_failure(eval("model.safetensors", "inputs.npz"),
                 "inputs.npz: not a file of input statistics");
  expect_failure(eval("model.safetensors", "missing.h5"), "missing.h5: ");
  const std::string whole = test::content(dir_ / "stats.h5");
  test::set_content(dir_ / "cut.h5", std::string_view(whole).substr(0, whole.size() / 2));
  expect_failure(eval("model.safetensors", "cut.h5"), "cut.h5: ");
}

TEST_F(CalibrateVerb, FailuresAreOneLineAndKeepTheOutput) {
  calibrate();
  expect_failure(calibrate(), "stats.h5");
  write_model("few.npz", {"fc.weight"}, {{3, 150}});
  expect_failure(run({"calibrate", "few.npz", "--model", "model.safetensors", "-o", "f.h5"}),
                 "few.npz: array 'fc.weight': 3 rows of inputs in all files, expected 16 or more");
  EXPECT_FALSE(exists("f.h5"));
  expect_failure(run({"calibrate", "inputs.npz", "--model", "model.safetensors", "-o", "f.npz"}),
                 "f.npz: extension '.npz', expected .h5 or .hdf5");
  expect_error(run({"calibrate", "few.npz", "-o", "f.h5"}), 2, "--model");
  expect_error(calibrate({"--set", "fc"}), 2, "--set");
  expect_error(
      calibrate({"--set", "fc:strides=2"}), 2,
      "--set: unknown setting 'strides': expected stride, padding, dilation, kind or layout; "
      "did you mean 'stride'?");
  expect_error(calibrate({"--set", "fc:stride=0"}), 2, "--set: stride=0: expected a whole number");
}

}  // namespace
}  // namespace pqw
