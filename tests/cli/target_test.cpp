// The flags of quantize that ask for a size or an error.
#include <nlohmann/json.hpp>

#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;
using testing::Not;

class TargetFlags : public test::CliTest {
 protected:
  test::Outcome quantize(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"quantize", "model.safetensors", "-o", "m.h5", "--force"});
    return run(arguments);
  }
  std::uint64_t size() const { return std::filesystem::file_size(dir_ / "m.h5"); }
};

TEST_F(TargetFlags, GiveASizeAndSayWhatWasFound) {
  const test::Outcome outcome = quantize({"--target-size", "14kB"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(size(), AllOf(Le(14000u), Ge(13000u)));
  EXPECT_THAT(outcome.err, HasSubstr("target: at most 14000 bytes; found: " +
                                     std::to_string(size()) + " bytes, mean error 0."));
}

TEST_F(TargetFlags, TheSearchSaysHowFarItIs) {
  const test::Outcome outcome = quantize({"--target-size", "14kB"});
  EXPECT_THAT(outcome.err, testing::ContainsRegex("(^|\n)searching for the target: [0-9]+ of "
                                                  "[0-9]+ trial runs\n"));
  EXPECT_THAT(quantize({"--target-size", "14kB", "--quiet"}).err, testing::IsEmpty());
}

TEST_F(TargetFlags, GiveBitsRatiosAndErrors) {
  // 64*16*9 + 64*150 + 64 = 18880 weights of 4 bytes.
  EXPECT_EQ(quantize({"--target-bpw", "6", "--metric", "total"}).status, 0);
  EXPECT_THAT(size(), Le(18880u * 6 / 8));
  EXPECT_EQ(quantize({"--target-ratio", "5", "--for", "serving"}).status, 0);
  EXPECT_THAT(size(), Le(4 * 18880u / 5));
  EXPECT_EQ(quantize({"--target-error", "0.1"}).status, 0);
}

TEST_F(TargetFlags, ADryRunEstimatesTheSize) {
  const std::string found =
      quantize({"--target-size", "14KB", "--for", "serving", "--dry-run"}).err;
  EXPECT_FALSE(exists("m.h5"));
  constexpr std::string_view kBefore = "; found: about ";
  ASSERT_THAT(found, HasSubstr(std::string(kBefore)));
  const double estimate = std::stod(found.substr(found.find(kBefore) + kBefore.size()));
  quantize({"--target-size", "14KB", "--for", "serving"});
  EXPECT_NEAR(static_cast<double>(size()), estimate, 0.03 * estimate);
}

TEST_F(TargetFlags, ASizeThatIsTooSmallIsAFailureThatNamesTheSmallest) {
  expect_failure(quantize({"--target-size", "1KB", "--quiet"}),
                 "model.safetensors: the target is 1000 bytes; the smallest archive that the "
                 "codecs can make of it has at most ");
  const test::Outcome ratio = quantize({"--target-ratio", "1e300", "--quiet"});
  expect_failure(ratio, "the target is 0 bytes (a ratio of 1e+300); the smallest archive ");
  EXPECT_THAT(ratio.err,
              testing::ContainsRegex("has at most ([0-9]+) bytes: ask for --target-size [0-9]+ "
                                     "or more, or let fewer rules and patterns keep"));
  EXPECT_FALSE(exists("m.h5"));
}

TEST_F(TargetFlags, AnErrorThatRulesExceedIsAFailureThatSaysWhatToChange) {
  expect_failure(quantize({"--target-error", "1e-14", "--set", "fc:centroids=16", "--quiet"}),
                 "; raise the target or change these rules");
}

TEST_F(TargetFlags, TheSizeOfADryRunForAnErrorIsSaidToBeAnEstimate) {
  EXPECT_THAT(
      quantize({"--target-error", "0.1", "--dry-run"}).err,
      testing::ContainsRegex("target: mean error at most 0.1; found: about [0-9]+ bytes, mean "
                             "error about 0.*; the run measures its error and size and may "
                             "then choose others\n"));
  EXPECT_THAT(quantize({"--target-error", "0.1"}).err, Not(HasSubstr("found: about")));
}

TEST_F(TargetFlags, ASizeThatIsTooLargeIsANote) {
  const test::Outcome outcome = quantize({"--target-size", "1GiB"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr(" bytes, mean error 0; no tensor can be more exact\n"));
}

TEST_F(TargetFlags, MistakesAreUsageErrors) {
  using Words = std::vector<std::string>;
  const std::pair<Words, std::string> mistakes[] = {
      {{"--target-size", "4M"},
       "--target-size: size '4M': unknown unit 'M': expected B, KB, MB, GB, KiB, MiB or GiB; did "
       "you mean 'MB'?"},
      {{"--target-bpw", "0"}, "--target-bpw: expected a number above 0"},
      {{"--target-ratio", "many"}, "--target-ratio: 'many': expected a number"},
      {{"--target-bpw", "2", "--target-error", "0.1"}, "only one target may be given"},
      {{"--metric", "total"}, "--metric: needs --target-size, --target-bpw, --target-ratio or"},
      {{"--target-bpw", "2", "--for", "servng"},
       "for=servng: expected any, storage or serving; did you mean 'serving'?"},
      {{"--target-bpw", "2", "--centroids", "64"},
       "centroids=64 for all tensors: a target chooses it; name it for some, in a rule"},
      {{"--set", "fc:importance=2"},
       "importance: it counts only in the search for a target; add --target-size,"},
      {{"--dry-run", "--resume"},
       "--resume: a dry run keeps and continues nothing; leave out --resume or --dry-run"}};
  for (const auto& [arguments, message] : mistakes) {
    expect_error(quantize(arguments), 2, message);
  }
}

TEST_F(TargetFlags, TheRecipeMakesTheSameArchive) {
  EXPECT_EQ(quantize({"--target-size", "14KB", "--output-recipe", "r.yaml"}).status, 0);
  const std::string archive = test::content(dir_ / "m.h5");
  EXPECT_THAT(test::content(dir_ / "r.yaml"),
              AllOf(HasSubstr("{pattern: '^conv\\.weight$', codec: "), Not(HasSubstr("bias"))));
  EXPECT_EQ(quantize({"--recipe", "r.yaml"}).status, 0);
  EXPECT_EQ(test::content(dir_ / "m.h5"), archive);
}

TEST_F(TargetFlags, TheRecipeReplacesNoOtherFile) {
  test::CliTest::run({"quantize", "model.safetensors", "-o", "old.h5"});
  const auto quiet = [&](const std::string& recipe) {
    return quantize({"--quiet", "--output-recipe", recipe});
  };
  expect_error(quiet("model.safetensors"), 2,
               "model.safetensors: input and output are the same file");
  for (const char* other : {"m.h5", "./m.h5", "m.h5.pqw.tmp", "m.h5.pqw.parts/r"}) {
    expect_error(quiet(other), 2,
                 std::string(other) +
                     ": the output m.h5 also uses this path; give the two outputs different names");
  }
  EXPECT_FALSE(exists("m.h5"));
  expect_failure(
      run({"quantize", "model.safetensors", "-o", "m.h5", "--quiet", "--output-recipe", "old.h5"}),
      "old.h5");
}

}  // namespace
}  // namespace pqw
