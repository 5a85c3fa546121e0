// Limits of the machine: less memory, fewer threads, smaller files and stacks than usual.
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>

#include "isolate/sandbox.h"
#include "tests/cli/cli_testing.h"
#include "tests/support/deny_calls.h"

namespace pqw {
namespace {

using test::content;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Verb = std::vector<std::string>;

constexpr rlim_t kKibi = 1 << 10, kMebi = 1 << 20;
constexpr int kImpossible = 99;

test::Prepare limited(int resource, rlim_t value) {
  return [=] {
    const rlimit limit{value, value};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limit);
  };
}

test::Prepare with_variable(const char* name, const std::string& value) {
  return [=] { ::setenv(name, value.c_str(), 1); };
}

class Limits : public test::CliTest {
 protected:
  Verb quantize(Verb options = {}) const {
    Verb verb = {"quantize", "model.safetensors", "-o", "m.h5", "--force", "--quiet"};
    verb.insert(verb.end(), options.begin(), options.end());
    return verb;
  }
};

// Limits of a batch system. Sanitizers map terabytes.
class LittleMemory : public Limits, public testing::WithParamInterface<std::pair<int, rlim_t>> {
 protected:
  void SetUp() override {
    if (has_sanitizer()) GTEST_SKIP() << "sanitizers need more memory than any limit";
    Limits::SetUp();
    ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5"}).status, 0);
  }

  test::Outcome run_limited(Verb verb) const {
    return run(std::move(verb), limited(GetParam().first, GetParam().second));
  }
};

TEST_P(LittleMemory, IsEnoughWhereNoBlasIsNeeded) {
  for (const Verb& verb :
       {Verb{"--version"}, Verb{"--help"}, Verb{"quantize", "--help"}, Verb{"verify", "a.h5"},
        Verb{"inspect", "a.h5"}, Verb{"eval", "model.safetensors", "a.h5"},
        Verb{"decode", "a.h5", "-o", "back.npz"}, quantize(), quantize({"--engine", "faiss"}),
        quantize({"--codec", "int8"})}) {
    const test::Outcome outcome = run_limited(verb);
    EXPECT_EQ(outcome.status, 0) << verb[0] << ": " << outcome.err;
  }
}

TEST_P(LittleMemory, IsAnErrorWhereBlasIsNeeded) {
  for (const Verb& verb :
       {quantize({"--codec", "low_rank"}), quantize({"--codec", "tensorized"})}) {
    expect_failure(run_limited(verb),
                   "OpenBLAS needs 192 MiB of address space, more than the limits");
    EXPECT_THAT(files("m.h5"), IsEmpty());
  }
  expect_failure(run_limited({"bench", "a.h5", "--quiet"}), "OpenBLAS needs 192 MiB");
}

INSTANTIATE_TEST_SUITE_P(Of, LittleMemory,
                         testing::Values(std::pair(RLIMIT_AS, 150 * kMebi),
                                         std::pair(RLIMIT_DATA, 100 * kMebi)),
                         [](const auto& case_of) {
                           return case_of.param.first == RLIMIT_AS ? "AddressSpace" : "Data";
                         });

TEST_F(Limits, MemoryThatAFileNeedsIsNotBlamedOnTheFile) {
  if (has_sanitizer()) GTEST_SKIP() << "sanitizers need more memory than any limit";
  write_model("large.safetensors", {"w"}, {{4096, 2048}});
  ASSERT_EQ(
      run({"quantize", "large.safetensors", "-o", "a.h5", "--include", "w", "--codec", "int8"})
          .status,
      0);
  const test::Outcome outcome = run({"verify", "a.h5"}, limited(RLIMIT_DATA, 12 * kMebi));
  expect_failure(outcome, "ulimit -v, -d");
  EXPECT_THAT(outcome.err, Not(HasSubstr("crafted")));
}

// A launcher may set anything.
TEST_F(Limits, NumbersOfThreadsThatMakeNoSenseChangeNothing) {
  ASSERT_EQ(run(quantize()).status, 0);
  const std::string expected = content(dir_ / "m.h5");
  for (const char* number : {"", "0", "-1", "abc", "4,3,2", "1", "64", "60000", "999999",
                             "2147483647", "99999999999999999999"}) {
    const test::Outcome outcome = run(quantize(), with_variable("OMP_NUM_THREADS", number));
    EXPECT_EQ(outcome.status, 0) << number << ": " << outcome.err;
    EXPECT_TRUE(content(dir_ / "m.h5") == expected) << number;
  }
}

TEST_F(Limits, StacksOfThreadsThatMakeNoSenseChangeNothing) {
  for (const char* size : {"1", "16k", "1000G"}) {
    EXPECT_EQ(run(quantize(), with_variable("OMP_STACKSIZE", size)).status, 0) << size;
    EXPECT_EQ(run(quantize(), with_variable("GOMP_STACKSIZE", size)).status, 0) << size;
  }
}

TEST_F(Limits, WorkIsDoneWithoutThreadsThatCannotBeCreated) {
  if (has_sanitizer()) GTEST_SKIP() << "LeakSanitizer needs /proc and a thread";
  ASSERT_EQ(run(quantize()).status, 0);
  const std::string expected = content(dir_ / "m.h5");
  const auto no_threads = [] {
    ::setenv("OMP_NUM_THREADS", "4", 1);
    if (!test::deny_calls({SYS_clone, SYS_clone3}, EAGAIN)) ::_exit(kImpossible);
  };
  const test::Outcome outcome = run(quantize(), no_threads);
  if (outcome.status == kImpossible) GTEST_SKIP() << "no filters of system calls here";
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(content(dir_ / "m.h5") == expected);
  EXPECT_EQ(run(quantize({"--codec", "low_rank"}), no_threads).status, 0);
  EXPECT_EQ(run({"bench", "m.h5", "--trusted", "--batch", "1"}, no_threads).status, 0);
}

TEST_F(Limits, DryRunNeedsNoPlaceForFiles) {
  if (has_sanitizer()) GTEST_SKIP() << "UBSan opens pipes to look at objects";
  std::vector<std::string> exact = quantize();
  exact.insert(exact.end(), {"--entropy-coding", "off"});
  ASSERT_EQ(run(exact).status, 0);
  const std::string size = std::to_string(std::filesystem::file_size(dir_ / "m.h5"));
  for (const test::Prepare& prepare :
       {with_variable("TMPDIR", dir_ / "none"), limited(RLIMIT_NOFILE, 4)}) {
    const test::Outcome outcome = run({"quantize", "model.safetensors", "-o", "new.h5", "--dry-run",
                                       "--json", "--entropy-coding", "off"},
                                      [&] {
                                        ::close_range(3, ~0u, 0);
                                        prepare();
                                      });
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr(size));
  }
}

TEST_F(Limits, FileThatOutgrowsItsLimitIsAnError) {
  ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5"}).status, 0);
  for (const char* output : {"out.safetensors", "out.npz", "out.h5", "out.npy"}) {
    for (const rlim_t limit : {rlim_t{0}, rlim_t{1000}, 8 * kKibi}) {
      test::set_content(dir_ / output, "old");
      const test::Outcome outcome =
          run({"decode", "a.h5", "-o", output, "--tensor", "fc.weight", "--force"},
              limited(RLIMIT_FSIZE, limit));
      EXPECT_EQ(outcome.status, 1) << output;
      EXPECT_EQ(content(dir_ / output), "old");
      EXPECT_THAT(files(output), ElementsAre(output));
    }
  }
  for (const rlim_t limit : {rlim_t{600}, rlim_t{1000}, 2 * kKibi}) {
    expect_failure(run(quantize(), limited(RLIMIT_FSIZE, limit)),
                   "File too large; m.h5 was not written");
    EXPECT_THAT(files("m.h5"), IsEmpty());
  }
}

TEST_F(Limits, StackThatIsTooSmallIsAnError) {
  expect_failure(run({"verify", "a.h5"}, limited(RLIMIT_STACK, 128 * kKibi)),
                 "the limit on the stack (ulimit -s) is 128 KiB, at least 256 KiB are needed");
  // It is raised where it may be.
  EXPECT_EQ(run(quantize(),
                [] {
                  const rlimit soft{128 * kKibi, RLIM_INFINITY};
                  ::setrlimit(RLIMIT_STACK, &soft);
                })
                .status,
            0);
}

TEST_F(Limits, LibraryThatCannotBeLoadedIsAnErrorOfTheCodecsThatNeedIt) {
  test::set_content(dir_ / "libopenblas.so.0", "not a library");
  const auto instead = with_variable("LD_LIBRARY_PATH", dir_.path());
  EXPECT_EQ(run(quantize(), instead).status, 0);
  EXPECT_EQ(run(quantize({"--engine", "faiss"}), instead).status, 0);
  expect_failure(run(quantize({"--codec", "low_rank"}), instead),
                 "cannot load OpenBLAS, which low_rank, tensorized and bench need: ");
}

TEST_F(Limits, WorksWithoutProc) {
  if (has_sanitizer()) GTEST_SKIP() << "LeakSanitizer needs /proc and a thread";
  ASSERT_EQ(run({"quantize", "model.safetensors", "-o", "a.h5"}).status, 0);
  const auto hide_proc = [] {
    const bool ok = (::unshare(CLONE_NEWNS) == 0 || ::unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0) &&
                    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                    ::mount("none", "/proc", "tmpfs", 0, nullptr) == 0;
    if (!ok) ::_exit(kImpossible);
  };
  if (run({"--version"}, hide_proc).status == kImpossible) GTEST_SKIP() << "/proc cannot be hidden";
  for (const Verb& verb : {Verb{"verify", "a.h5"}, Verb{"eval", "model.safetensors", "a.h5"},
                           Verb{"decode", "a.h5", "-o", "back.h5"}, quantize()}) {
    const test::Outcome outcome = run(verb, hide_proc);
    EXPECT_EQ(outcome.status, 0) << verb[0] << ": " << outcome.err;
  }
}

// The tool sets what OpenMP reads before main does, unless the user has.
#if defined(__GNUC__) && !defined(__clang__)
TEST_F(Limits, IdleThreadsDoNotSpin) {
  const auto spins = [&](const char* verb, const Verb& variables) {
    return run({verb, "none.h5"},
               [&] {
                 for (const char* name : {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}) ::unsetenv(name);
                 ::setenv("OMP_DISPLAY_ENV", "verbose", 1);
                 if (!variables.empty()) ::setenv(variables[0].c_str(), variables[1].c_str(), 1);
               })
        .err;
  };
  EXPECT_THAT(spins("verify", {}), HasSubstr("GOMP_SPINCOUNT = '0'"));
  EXPECT_THAT(spins("bench", {}), HasSubstr("GOMP_SPINCOUNT = '20000'"));
  EXPECT_THAT(spins("verify", {"GOMP_SPINCOUNT", "77"}), HasSubstr("GOMP_SPINCOUNT = '77'"));
  EXPECT_THAT(spins("verify", {"OMP_WAIT_POLICY", "active"}),
              HasSubstr("OMP_WAIT_POLICY = 'ACTIVE'"));
}
#endif

}  // namespace
}  // namespace pqw
