// A child that crashes, hangs, lies, eats memory or wants out: each is an error in the parent.
#include "isolate/worker.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "isolate/sandbox.h"
#include "isolate/worker_protocol.h"
#include "pqw/core/error.h"
#include "tests/support/deny_calls.h"
#include "tests/support/memory_limits.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

class WorkerTest : public testing::Test {
 protected:
  WorkerTest() { std::ofstream(path_) << "content"; }

  // The error of one call to a child with that service.
  Error error_of(Worker::Service service, std::size_t most_bytes = 100) {
    try {
      const InputFile file(path_);
      Worker worker(file, std::move(service));
      worker.call(0, most_bytes);
    } catch (const Error& error) {
      return error;
    }
    return {ErrorCode::kInvalidArgument, "no error"};
  }

  const test::TempDir dir_;
  const std::string path_ = dir_ / "f";
};

TEST_F(WorkerTest, AnswersOneRequestAfterTheOther) {
  const InputFile file(path_);
  int n_calls = 0;
  Worker worker(file, [&](std::uint64_t request) {
    return std::vector<std::byte>(request, static_cast<std::byte>(++n_calls));
  });
  EXPECT_EQ(worker.call(3, 3), std::vector<std::byte>(3, std::byte{1}));
  EXPECT_EQ(worker.call(0, 3), std::vector<std::byte>());
  const std::size_t large = 100'000'001;  // more than one part
  EXPECT_TRUE(worker.call(large, large) == std::vector<std::byte>(large, std::byte{3}));
  EXPECT_EQ(n_calls, 0) << "the child is a copy";
}

TEST_F(WorkerTest, ReadsTheFileThatIsOpen) {
  const InputFile file(path_);
  Worker worker(file, [&](std::uint64_t) { return file.read(0, 7); });
  EXPECT_EQ(worker.call(0, 100), bytes_of("content"));
}

TEST_F(WorkerTest, PassesErrorsOn) {
  const InputFile file(path_);
  Worker worker(file, [](std::uint64_t request) -> std::vector<std::byte> {
    if (request == 1) throw Error(ErrorCode::kUnsupported, "f: a\nproblem");
    if (request == 2) throw std::bad_alloc();
    return {};
  });
  try {
    worker.call(1, 10);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_STREQ(error.what(), "f: a\\nproblem");
  }
  EXPECT_THROW(worker.call(2, 10), Error);
  EXPECT_TRUE(worker.call(3, 10).empty()) << "errors do not end the child";
}

TEST_F(WorkerTest, ACrashIsAnErrorAndLasts) {
  const InputFile file(path_);
  Worker worker(file, [](std::uint64_t) -> std::vector<std::byte> {
    ::kill(::getpid(), SIGSEGV);  // what the filter of system calls forbids: hence the next line
    *static_cast<volatile int*>(nullptr) = 1;
    return {};
  });
  for (const char* message : {"the process that reads it", "failed before"}) {
    try {
      worker.call(0, 10);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kFormat);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

// Somebody's signal, or a lack of memory of the whole machine.
TEST_F(WorkerTest, ASignalFromOutsideIsNotBlamedOnTheFile) {
  for (const int signal : {SIGTERM, SIGKILL, SIGUSR1}) {
    const Error error = error_of([=](std::uint64_t) -> std::vector<std::byte> {
      (void)std::raise(signal);
      return {};
    });
    EXPECT_EQ(error.code(), ErrorCode::kIo);
    EXPECT_THAT(error.what(), HasSubstr("was ended by signal " + std::to_string(signal)));
    EXPECT_THAT(error.what(), Not(HasSubstr("crafted")));
  }
}

TEST_F(WorkerTest, LimitedMemoryIsNotBlamedOnTheFile) {
  if (has_sanitizer()) GTEST_SKIP() << "no limits on memory there";
  if (!test::can_limit_memory()) GTEST_SKIP() << test::kNoMemoryLimits;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_DATA, &before), 0);
  rlimit limited = before;
  limited.rlim_cur = std::min<rlim_t>(before.rlim_max, rlim_t{4} << 30);
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &limited), 0);
  const Error no_memory =
      error_of([](std::uint64_t) -> std::vector<std::byte> { throw std::bad_alloc(); });
  const Error refusal = error_of([](std::uint64_t) -> std::vector<std::byte> {
    throw Error(ErrorCode::kFormat, "f: cannot read");
  });
  ASSERT_EQ(::setrlimit(RLIMIT_DATA, &before), 0);
  EXPECT_EQ(no_memory.code(), ErrorCode::kIo);
  EXPECT_THAT(no_memory.what(), HasSubstr("ulimit -v, -d"));
  EXPECT_THAT(refusal.what(), StartsWith("f: cannot read; the limits on memory"));
}

TEST_F(WorkerTest, ASystemThatRefusesTheSandboxIsNamed) {
  if (has_sanitizer()) GTEST_SKIP() << "sanitizers need these calls themselves";
  if (!test::can_deny_calls()) GTEST_SKIP() << test::kNoFilters;
  const auto run_refused = [&] {
    if (!test::deny_calls({SYS_prctl}, EPERM)) ::_exit(0);
    const Error error = error_of([](std::uint64_t) { return std::vector<std::byte>(); });
    std::fputs(error.what(), stderr);
    ::_exit(error.code() == ErrorCode::kIo ? 1 : 2);
  };
  EXPECT_EXIT(run_refused(), testing::ExitedWithCode(1),
              "f: this system does not allow the sandbox .*prctl.PR_SET_NO_NEW_PRIVS.: Operation "
              "not permitted; --trusted");
}

TEST_F(WorkerTest, AMissingDescriptorIsNotBlamedOnTheSystem) {
  if (has_sanitizer()) GTEST_SKIP() << "UBSan opens pipes to look at objects";
  const InputFile file(path_);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  std::string message;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  try {
    const Worker worker(file, [](std::uint64_t) { return std::vector<std::byte>(); });
  } catch (const Error& error) {
    message = error.what();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_EQ(message, path_ +
                         ": cannot start the process that reads it: no file descriptor is left "
                         "(ulimit -n)");
}

TEST_F(WorkerTest, AMissingProcessIsNotBlamedOnTheSystem) {
  if (has_sanitizer()) GTEST_SKIP() << "sanitizers need these calls themselves";
  if (!test::can_deny_calls()) GTEST_SKIP() << test::kNoFilters;
  std::vector<long> calls{SYS_clone, SYS_clone3};
#ifdef SYS_fork
  calls.push_back(SYS_fork);
#endif
  const auto run_refused = [&] {
    if (!test::deny_calls(calls, EAGAIN)) ::_exit(0);
    const Error error = error_of([](std::uint64_t) { return std::vector<std::byte>(); });
    std::fputs(error.what(), stderr);
    ::_exit(error.code() == ErrorCode::kIo ? 1 : 2);
  };
  EXPECT_EXIT(run_refused(), testing::ExitedWithCode(1),
              "f: cannot start the process that reads it: no process is left .ulimit -u.$");
}

// A descriptor that stays open would be a hole in the sandbox.
TEST_F(WorkerTest, DescriptorsAreClosedWithoutTheCallForIt) {
  if (has_sanitizer()) GTEST_SKIP() << "sanitizers need what the sandbox forbids, and get it";
  if (!test::can_deny_calls()) GTEST_SKIP() << test::kNoFilters;
  const int other = ::open(path_.c_str(), O_RDONLY);
  ASSERT_GE(other, 3);
  const auto read_other = [&] {
    if (!test::deny_calls({SYS_close_range}, ENOSYS)) ::_exit(1);
    const InputFile file(path_);
    Worker worker(file, [&](std::uint64_t) -> std::vector<std::byte> {
      char byte = 0;
      return std::vector<std::byte>(::read(other, &byte, 1) >= 0 ? 1 : 0);
    });
    ::_exit(worker.call(0, 1).empty() ? 1 : 0);
  };
  EXPECT_EXIT(read_other(), testing::ExitedWithCode(1), "");
  ::close(other);
}

TEST_F(WorkerTest, AnExitIsAnError) {
  const Error error = error_of([](std::uint64_t) -> std::vector<std::byte> { ::_exit(0); });
  EXPECT_THAT(error.what(), HasSubstr("gave up"));
}

TEST_F(WorkerTest, AnAnswerThatIsTooLongIsRefused) {
  const Error error = error_of([](std::uint64_t) { return std::vector<std::byte>(101); }, 100);
  EXPECT_THAT(error.what(), HasSubstr("answers with 101 bytes, expected 100 at most"));
}

TEST_F(WorkerTest, MemoryIsLimited) {
  if (has_sanitizer()) GTEST_SKIP() << "the shadow memory of sanitizers is larger than any limit";
  if (!test::can_limit_memory()) GTEST_SKIP() << test::kNoMemoryLimits;
  const Error error = error_of([](std::uint64_t) -> std::vector<std::byte> {
    return std::vector<std::byte>(std::size_t{2} << 30);
  });
  EXPECT_EQ(error.code(), ErrorCode::kFormat);
  EXPECT_THAT(error.what(), HasSubstr("needs more memory"));
}

// Nothing of this machine but the file can be reached from the child.
TEST_F(WorkerTest, TheChildCanDoNothingElse) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "sanitizers need what the sandbox forbids, and get it";
#endif
  if (!test::can_deny_calls()) GTEST_SKIP() << test::kNoFilters;
  const std::string made = dir_ / "made";
  const std::string secret = path_;
  const int other = ::open(path_.c_str(), O_RDONLY);
  ASSERT_GE(other, 3);
  const InputFile file(path_);
  Worker worker(file, [&](std::uint64_t request) -> std::vector<std::byte> {
    char byte = 0;
    bool done = false;
    if (request == 0) done = ::open(secret.c_str(), O_RDONLY) >= 0;
    if (request == 1) done = ::open(made.c_str(), O_WRONLY | O_CREAT, 0600) >= 0;
    if (request == 2) done = ::read(other, &byte, 1) >= 0;
    if (request == 3) done = ::socket(AF_INET, SOCK_STREAM, 0) >= 0;
    if (request == 4) done = ::write(STDOUT_FILENO, "x", 1) >= 0;
    if (request == 5) done = !has_sanitizer() && ::fork() >= 0;
    if (request == 6 && !has_sanitizer()) {
      ::execl("/bin/touch", "touch", made.c_str(), nullptr);
    }
    return std::vector<std::byte>(done ? 1 : 0);
  });
  for (std::uint64_t request = 0; request <= 6; ++request) {
    EXPECT_TRUE(worker.call(request, 1).empty()) << request;
  }
  ::close(other);
  EXPECT_FALSE(std::ifstream(made).good());
}

// What a child that was taken over might send instead of an answer.
class LyingChild : public WorkerTest {
 protected:
  Error error_of_answer(const WorkerAnswer& answer, std::string_view rest) {
    return error_of([&](std::uint64_t) -> std::vector<std::byte> {
      int socket = 0;  // the only descriptor that is one
      while (::send(socket, &answer, sizeof(answer), 0) < 0) ++socket;
      (void)::send(socket, rest.data(), rest.size(), 0);
      ::_exit(0);
    });
  }
};

TEST_F(LyingChild, LengthsAreChecked) {
  EXPECT_THAT(error_of_answer({1ull << 40, 0, 0}, "").what(), HasSubstr("1099511627776 bytes"));
  EXPECT_THAT(error_of_answer({1ull << 40, 1, 0}, "").what(), HasSubstr("1099511627776 bytes"));
  EXPECT_THAT(error_of_answer({100, 0, 0}, "short").what(), HasSubstr("gave up"));
}

TEST_F(LyingChild, CodesAndTextsOfErrorsAreChecked) {
  const Error error = error_of_answer({4, 1, 1000}, "a\x1b[m");
  EXPECT_EQ(error.code(), ErrorCode::kFormat);
  EXPECT_STREQ(error.what(), "a\\x1b[m");
}

}  // namespace
}  // namespace pqw
