// What becomes of outputs: files, standard output and standard error.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "tests/cli/cli_testing.h"
#include "tests/support/file_content.h"

namespace pqw {
namespace {

using test::content;
using testing::HasSubstr;
using testing::IsEmpty;

using Cli = test::CliTest;
using test::Outcome;

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
    const std::string message =
        (line[3] == "r.yaml" ? "r.yaml" : line[1]) + ": input and output are the same file" +
        (line[1] == line[3] || line[3] == "r.yaml" ? "" : ": " + line[3]) +
        (line[3] == "n.h5" ? ", which is first written to n.h5.pqw.tmp" : "") +
        "; give the output another name; see 'pqw " + line[0] + " --help'";
    expect_error(run(line), 2, message);
    line.push_back("--force");
    expect_error(run(line), 2, message);
  }
  EXPECT_TRUE(content(dir_ / "model.safetensors") == model);
  EXPECT_TRUE(content(dir_ / "n.h5.pqw.tmp") == model);
  EXPECT_TRUE(content(dir_ / "m.h5") == archive);
  EXPECT_EQ(content(dir_ / "r.yaml"), "defaults: {centroids: 16}\n");
}

TEST_F(Cli, NamesThatNoFileCanHaveAreRefused) {
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"quantize", "model.safetensors"});
    return run(more);
  };
  expect_error(with({"-o", ""}), 2, "--output: the name is empty; name a file, such as model.h5");
  expect_error(with({"-o", "m.h5", "--output-recipe", ""}), 2,
               "--output-recipe: the name is empty; name a file, such as recipe.yaml");
  expect_error(with({"-o", "m.h5", "--output-recipe", "-"}), 2,
               "--output-recipe: '-': recipes go to files, not to standard output");
  expect_failure(with({"-o", "none/m.h5", "--quiet"}),
                 "none/m.h5: its folder does not exist; create it first");
  EXPECT_THAT(files("m.h5"), IsEmpty());
  EXPECT_FALSE(exists("-"));
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

TEST_F(Cli, UnusualExtensionsOfArchivesAreNoted) {
  for (const auto& [name, is_noted] : {std::pair("n.data", true),
                                       {"n", false},
                                       {"n.PQW", false},
                                       {"n.hdf5", false},
                                       {"n.v1", true}}) {
    const std::vector<std::string> line = {"quantize", "model.safetensors", "-o",
                                           name,       "--codec",           "int8"};
    const Outcome outcome = run(line);
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(
        outcome.err.find(std::string(name) + ": an archive is an HDF5 file") != std::string::npos,
        is_noted)
        << name;
  }
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

}  // namespace
}  // namespace pqw
