#include "pqw/io/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "io/locked_temporary.h"
#include "pqw/core/error.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"

namespace pqw {
namespace {

using test::content;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::size_t files_in(const test::TempDir& dir) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(dir.path()),
                                                std::filesystem::directory_iterator()));
}

TEST(AtomicFile, AppearsOnCommitOnly) {
  const test::TempDir dir;
  AtomicFile file(dir / "out");
  file.write(bytes_of("hello world"));
  file.write_at(0, bytes_of("H"));
  EXPECT_FALSE(std::filesystem::exists(dir / "out"));
  file.commit();
  EXPECT_EQ(content(dir / "out"), "Hello world");
  EXPECT_EQ(files_in(dir), 1u);
}

// Whoever finds a file without a lock takes it for a dead writer's, and removes it.
TEST(AtomicFile, TheTemporaryIsLockedAsLongAsItHasItsName) {
  const test::TempDir dir;
  const std::string temporary = dir / "out.pqw.tmp";
  const int unnamed = ::open(dir.path().c_str(), O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
  if (unnamed < 0) GTEST_SKIP() << "needs O_TMPFILE";
  ::close(unnamed);
  std::atomic<bool> ends = false;
  int n_unlocked = 0;
  std::thread other([&] {
    while (!ends) {
      const int fd = ::open(temporary.c_str(), O_RDWR | O_CLOEXEC);
      if (fd < 0) continue;
      struct flock whole = {};
      whole.l_type = F_WRLCK;
      struct stat open, named;
      // The writer removes the name first. A file that has it after the look was locked in it.
      const bool is_free = ::fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type == F_UNLCK;
      if (is_free && ::fstat(fd, &open) == 0 && ::stat(temporary.c_str(), &named) == 0 &&
          open.st_ino == named.st_ino) {
        ++n_unlocked;
      }
      ::close(fd);
    }
  });
  for (int i = 0; i < 3000; ++i) const AtomicFile file(dir / "out");
  ends = true;
  other.join();
  EXPECT_EQ(n_unlocked, 0);
}

TEST(AtomicFile, AbandonedLeavesTheOldFileAndNoTemporary) {
  const test::TempDir dir;
  std::ofstream(dir / "out") << "old";
  {
    AtomicFile file(dir / "out", {.overwrite = true});
    file.write(bytes_of("new"));
  }
  EXPECT_EQ(content(dir / "out"), "old");
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(AtomicFile, ReplacesOnlyWhenAsked) {
  const test::TempDir dir;
  std::ofstream(dir / "out") << "old";
  try {
    AtomicFile file(dir / "out");
    FAIL() << "an existing target was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kExists);
  }
  AtomicFile file(dir / "out", {.overwrite = true});
  file.write(bytes_of("new"));
  file.commit();
  EXPECT_EQ(content(dir / "out"), "new");
}

TEST(AtomicFile, TargetMadeMeanwhileIsKept) {
  const test::TempDir dir;
  AtomicFile file(dir / "out");
  std::ofstream(dir / "out") << "theirs";
  EXPECT_THROW(file.commit(), Error);
  EXPECT_EQ(content(dir / "out"), "theirs");
}

TEST(AtomicFile, SignalHandlerRemovesLiveTemporariesOnly) {
  const test::TempDir dir;
  AtomicFile done(dir / "done");
  done.commit();
  AtomicFile open(dir / "open");
  EXPECT_EQ(remove_temporaries_in_signal_handler(), 1);
  EXPECT_FALSE(std::filesystem::exists(open.temporary_path()));
  EXPECT_TRUE(std::filesystem::exists(dir / "done"));
}

TEST(AtomicFile, SecondWriterIsRefusedWhileTheFirstLives) {
  const test::TempDir dir;
  std::filesystem::create_symlink("out", dir / "link");
  AtomicFile first(dir / "out");
  for (const char* name : {"out", "./out"}) {
    try {
      AtomicFile second(dir / name, {.overwrite = true});
      FAIL() << "a second writer was let in";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kBusy);
      EXPECT_EQ(std::string(error.what()), dir / name + ": somebody else is writing it: " +
                                               (dir / name) + ".pqw.tmp is locked");
    }
  }
  first.write(bytes_of("first"));
  first.commit();
  EXPECT_THROW(AtomicFile(dir / "link"), Error);
  AtomicFile(dir / "link", {.overwrite = true}).commit();
  EXPECT_EQ(files_in(dir), 2u);
}

// A process that writes dir/out until it is killed; returns once it does.
pid_t start_writer(const test::TempDir& dir) {
  int ready[2];
  EXPECT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    AtomicFile file(dir / "out", {.overwrite = true});
    file.write(bytes_of("half of"));
    if (::write(ready[1], "x", 1) != 1) ::_exit(1);
    for (;;) ::pause();
  }
  char byte;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return child;
}

TEST(AtomicFile, TemporaryOfALivingWriterIsKeptAndThatOfADeadOneRemoved) {
  const test::TempDir dir;
  std::ofstream(dir / "out") << "old";
  const pid_t child = start_writer(dir);
  EXPECT_THROW(AtomicFile(dir / "out", {.overwrite = true}), Error);
  EXPECT_EQ(content(dir / "out.pqw.tmp"), "half of");
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(content(dir / "out"), "old");
  EXPECT_EQ(files_in(dir), 2u);
  AtomicFile file(dir / "out", {.overwrite = true});
  file.write(bytes_of("new"));
  file.commit();
  EXPECT_EQ(content(dir / "out"), "new");
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(AtomicFile, WritersThatContendLeaveOneOfTheirFiles) {
  const test::TempDir dir;
  std::vector<pid_t> children;
  for (int id = 0; id < 4; ++id) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    for (int round = 0; round < 200; ++round) {
      try {
        AtomicFile file(dir / "out", {.overwrite = true});
        const std::string text(100, static_cast<char>('a' + id));
        for (const char& c : text) file.write(bytes_of({&c, 1}));
        if (round % 3 != 0) file.commit();
      } catch (const Error& error) {
        if (error.code() != ErrorCode::kBusy) ::_exit(1);
      }
    }
    ::_exit(0);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  const std::string text = content(dir / "out");
  EXPECT_EQ(text, std::string(100, text.empty() ? ' ' : text.front()));
  EXPECT_EQ(files_in(dir), 1u);
}

TEST(AtomicFile, PermissionsAreThoseOfTheMaskOrOfTheFileReplaced) {
  const test::TempDir dir;
  const auto mode = [&](const char* name) {
    return std::filesystem::status(dir / name).permissions();
  };
  std::ofstream(dir / "usual").flush();
  AtomicFile(dir / "new").commit();
  EXPECT_EQ(mode("new"), mode("usual"));
  std::filesystem::permissions(dir / "new", std::filesystem::perms(0640));
  AtomicFile(dir / "new", {.overwrite = true}).commit();
  EXPECT_EQ(mode("new"), std::filesystem::perms(0640));
}

TEST(AtomicFile, LinkStaysALinkToTheNewFile) {
  const test::TempDir dir;
  std::filesystem::create_directory(dir / "store");
  std::ofstream(dir / "store/out") << "old";
  std::filesystem::create_symlink("store/out", dir / "link");
  EXPECT_THROW(AtomicFile(dir / "link"), Error);
  AtomicFile file(dir / "link", {.overwrite = true});
  file.write(bytes_of("new"));
  file.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(dir / "link"));
  EXPECT_EQ(content(dir / "store/out"), "new");
}

TEST(AtomicFile, WhatIsNoRegularFileIsNeverReplaced) {
  const test::TempDir dir;
  const std::string fifo = dir / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  std::filesystem::create_directory(dir / "folder");
  std::filesystem::create_symlink("fifo", dir / "to_fifo");
  std::filesystem::create_symlink("folder", dir / "to_folder");
  std::filesystem::create_symlink("nothing", dir / "to_nothing");
  for (const char* name : {"fifo", "folder", "to_fifo", "to_folder", "to_nothing"}) {
    EXPECT_THROW(AtomicFile(dir / name, {.overwrite = true}), Error) << name;
    EXPECT_THROW(AtomicFile(dir / name), Error) << name;
  }
  EXPECT_THROW(AtomicFile("", {.overwrite = true}), Error);
  EXPECT_TRUE(std::filesystem::is_fifo(fifo));
  EXPECT_EQ(files_in(dir), 5u);
}

TEST(AtomicFile, HandlerRemovesWhatIsBeingWrittenByThisProcessOnly) {
  const test::TempDir dir;
  AtomicFile file(dir / "out");
  const pid_t child = ::fork();
  if (child == 0) ::_exit(remove_temporaries_in_signal_handler());
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(files_in(dir), 1u);
  EXPECT_EQ(remove_temporaries_in_signal_handler(), 1);
  EXPECT_EQ(files_in(dir), 0u);
}

TEST(AtomicFile, SignalsWaitWhileATemporaryIsNotRegistered) {
  static volatile std::sig_atomic_t n_signals = 0;
  const auto before = std::signal(SIGUSR1, [](int) { n_signals = n_signals + 1; });
  {
    const SignalPause pause;
    std::raise(SIGUSR1);
    EXPECT_EQ(n_signals, 0);
  }
  EXPECT_EQ(n_signals, 1);
  std::signal(SIGUSR1, before);
}

TEST(AtomicFile, FolderThatIsMissingIsAnError) {
  const test::TempDir dir;
  EXPECT_THROW(AtomicFile(dir / "none/out"), Error);
  EXPECT_THROW(AtomicFile(dir.path().string(), {.overwrite = true}), Error);
}

}  // namespace
}  // namespace pqw
