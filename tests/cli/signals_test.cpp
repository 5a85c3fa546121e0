// Signals that end the tool leave nothing behind, and the exit status tells of them.
#include <sys/resource.h>

#include "isolate/sandbox.h"
#include "tests/cli/cli_testing.h"

namespace pqw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Reading end closed: whoever writes to it gets SIGPIPE.
void write_errors_to_closed_pipe() {
  int ends[2];
  if (::pipe(ends) != 0) ::_exit(126);
  ::close(ends[0]);
  ::dup2(ends[1], STDERR_FILENO);
}

void make_no_core() {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
}

class Signals : public test::CliTest {};
class FatalSignal : public test::CliTest, public testing::WithParamInterface<int> {};

TEST_P(FatalSignal, RemovesWhatIsBeingWritten) {
  test::set_content(dir_ / "m.h5", "old");
  const pid_t child = start_long_run(make_no_core);
  ASSERT_TRUE(wait_for(child, "m.h5.pqw.tmp"));
  ::kill(child, GetParam());
  const test::Outcome outcome = finish(child);
  EXPECT_EQ(outcome.status, 128 + GetParam());
  EXPECT_THAT(outcome.err, HasSubstr("; the output is as it was"));
  EXPECT_THAT(files("m.h5"), ElementsAre("m.h5"));
  EXPECT_EQ(test::content(dir_ / "m.h5"), "old");
}

std::string name_of(const testing::TestParamInfo<int>& info) {
  const char* const name = ::sigabbrev_np(info.param);
  return name == nullptr ? "Real" + std::to_string(info.param - SIGRTMIN) : name;
}

INSTANTIATE_TEST_SUITE_P(Sent, FatalSignal,
                         testing::Values(SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE,
                                         SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU, SIGVTALRM, SIGPROF,
                                         SIGPOLL, SIGPWR, SIGRTMIN, SIGRTMAX),
                         name_of);

// AddressSanitizer has handlers of its own for some of them.
#if !defined(__SANITIZE_ADDRESS__)
INSTANTIATE_TEST_SUITE_P(Fault, FatalSignal,
                         testing::Values(SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP),
                         name_of);
#endif

TEST_F(Signals, IgnoredOnesStayIgnored) {
  const pid_t child = start_long_run([] {
    for (const int signal : {SIGHUP, SIGUSR1, SIGPIPE, SIGALRM}) ::signal(signal, SIG_IGN);
  });
  ASSERT_TRUE(wait_for(child, "m.h5.pqw.tmp"));
  for (const int signal : {SIGHUP, SIGUSR1, SIGPIPE, SIGALRM, SIGTERM}) ::kill(child, signal);
  EXPECT_EQ(finish(child).status, 128 + SIGTERM);
  EXPECT_THAT(files("m.h5"), IsEmpty());
}

TEST_F(Signals, OthersDoNotEndIt) {
  const pid_t child = start_long_run();
  ASSERT_TRUE(wait_for(child, "m.h5.pqw.tmp"));
  for (const int signal : {SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGTERM}) ::kill(child, signal);
  EXPECT_EQ(finish(child).status, 128 + SIGTERM);
}

TEST_F(Signals, ClosedPipeEndsARunThatTalks) {
  const test::Outcome outcome =
      run({"quantize", "model.safetensors", "-o", "m.h5"}, write_errors_to_closed_pipe);
  EXPECT_EQ(outcome.status, 128 + SIGPIPE);
  EXPECT_THAT(files("m.h5"), IsEmpty());
}

TEST_F(Signals, ClosedPipeIsNothingToARunThatIgnoresIt) {
  const test::Outcome outcome = run({"quantize", "model.safetensors", "-o", "m.h5"}, [] {
    write_errors_to_closed_pipe();
    ::signal(SIGPIPE, SIG_IGN);
  });
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(files("m.h5"), ElementsAre("m.h5"));
}

// The message that a signal leads to must not end the tool by another signal.
TEST_F(Signals, ClosedPipeDoesNotHideTheSignal) {
  const pid_t child = start_long_run(write_errors_to_closed_pipe);
  ASSERT_TRUE(wait_for(child, "m.h5.pqw.tmp"));
  ::kill(child, SIGTERM);
  EXPECT_EQ(finish(child).status, 128 + SIGTERM);
  EXPECT_THAT(files("m.h5"), IsEmpty());
}

// The kernel kills at the hard limit, which nobody can catch.
TEST_F(Signals, ProcessorTimeEndsBySignalBeforeTheHardLimit) {
  for (const rlim_t most : {1, 2}) {
    const pid_t child = start_long_run([&] {
      const rlimit seconds{most, most};
      ::setrlimit(RLIMIT_CPU, &seconds);
    });
    EXPECT_EQ(finish(child).status, 128 + SIGXCPU) << most;
    EXPECT_THAT(files("m.h5"), IsEmpty()) << most;
  }
}

}  // namespace
}  // namespace pqw
