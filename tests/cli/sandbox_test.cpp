// Systems that do not allow the sandbox, as containers do: the file is not blamed, and --trusted
// does without.
#include "isolate/sandbox.h"

#include <cerrno>

#include "tests/cli/cli_testing.h"
#include "tests/support/deny_calls.h"

namespace pqw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Verb = std::vector<std::string>;

struct Refusal {
  std::string call;  // as messages name it
  std::vector<long> numbers;
  int error = EPERM;
};

// By name, for tests.
void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.call; }

constexpr int kNoFilters = 99;

class Sandbox : public test::CliTest, public testing::WithParamInterface<Refusal> {
 protected:
  void SetUp() override {
    if (has_sanitizer()) GTEST_SKIP() << "sanitizers need these calls themselves";
    CliTest::SetUp();
    ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5"}).status, 0);
    ASSERT_EQ(run({"decode", "a.h5", "-o", "weights.h5"}).status, 0);
  }

  test::Outcome run_denied(Verb verb) const {
    return run(std::move(verb), [] {
      if (!test::deny_calls(GetParam().numbers, GetParam().error)) ::_exit(kNoFilters);
    });
  }

  const std::vector<Verb> verbs_ = {{"verify", "a.h5"},
                                    {"inspect", "a.h5"},
                                    {"eval", "model.safetensors", "a.h5"},
                                    {"eval", "weights.h5", "model.safetensors"},
                                    {"decode", "a.h5", "-o", "out.npz"},
                                    {"bench", "a.h5", "--batch", "1", "--quiet"},
                                    {"quantize", "weights.h5", "--dry-run"},
                                    {"quantize", "weights.h5", "-o", "out.h5", "--quiet"}};
};

TEST_P(Sandbox, RefusalIsNotBlamedOnTheFile) {
  for (const Verb& verb : verbs_) {
    const test::Outcome outcome = run_denied(verb);
    if (outcome.status == kNoFilters) GTEST_SKIP() << "no filters of system calls here";
    expect_failure(outcome, "this system does not allow the sandbox");
    EXPECT_THAT(outcome.err, AllOf(HasSubstr(": " + GetParam().call + ": "), HasSubstr("--trusted"),
                                   Not(HasSubstr("crafted"))))
        << verb[0];
    EXPECT_THAT(files("out."), testing::ElementsAre("out.txt"));
  }
}

TEST_P(Sandbox, TrustedFilesAreReadWithoutIt) {
  for (Verb verb : verbs_) {
    verb.push_back("--trusted");
    const test::Outcome outcome = run_denied(verb);
    if (outcome.status == kNoFilters) GTEST_SKIP() << "no filters of system calls here";
    EXPECT_EQ(outcome.status, 0) << verb[0] << ": " << outcome.err;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Refused, Sandbox,
    testing::Values(Refusal{"socketpair", {SYS_socketpair}}, Refusal{"fork", {SYS_clone}},
                    Refusal{"setrlimit(RLIMIT_FSIZE)", {SYS_prlimit64}},
                    Refusal{"prctl(PR_SET_NO_NEW_PRIVS)", {SYS_prctl}},
                    Refusal{"prctl(PR_SET_NO_NEW_PRIVS)", {SYS_prctl}, ENOSYS}),
    [](const testing::TestParamInfo<Refusal>& case_of) {
      return "Case" + std::to_string(case_of.index);
    });

}  // namespace
}  // namespace pqw
