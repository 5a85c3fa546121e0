// Runs of the command-line tool in a folder of their own.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pqw/formats/weight_file.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"

namespace pqw::test {

using Prepare = std::function<void()>;

struct Outcome {
  int status = 0;  // exit code, or 128 + signal
  std::string out, err;
};

class CliTest : public testing::Test {
 protected:
  void SetUp() override {
    write_model("model.safetensors", {"conv.weight", "fc.weight", "fc.bias"});
  }

  // Weights of fixed shapes under these names.
  void write_model(const std::string& name, const std::vector<std::string>& names,
                   const std::vector<Shape>& shapes = {{64, 16, 3, 3}, {64, 150}, {64}}) const {
    std::vector<TensorInfo> infos;
    for (std::size_t i = 0; i < names.size(); ++i)
      infos.push_back({names[i], DType::kF32, shapes[i]});
    write_normal_weights(dir_ / name, infos);
  }

  // q.npz: 4 codes of blocks of 2 weights, of the centroids (0, 0) and (1, 1).
  void write_quantized_layer() const {
    const auto writer = create_weights(dir_ / "q.npz", {{"q.centroids", DType::kF32, {2, 2}},
                                                        {"q.assignments", DType::kI64, {4}}});
    const std::vector<float> centroids = {0, 0, 1, 1};
    const std::vector<std::int64_t> codes = {0, 1, 1, 0};
    writer->add(std::as_bytes(std::span(centroids)));
    writer->add(std::as_bytes(std::span(codes)));
    writer->commit();
  }

  // `prepare` runs in the process that becomes the tool.
  pid_t start(
      std::vector<std::string> arguments, const Prepare& prepare = [] {}) const {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::chdir(dir_.path().c_str()) != 0) ::_exit(126);
    ::dup2(::open("out.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600), STDOUT_FILENO);
    ::dup2(::open("err.txt", O_WRONLY | O_CREAT | O_TRUNC, 0600), STDERR_FILENO);
    std::vector<char*> argv{const_cast<char*>(PQW_COMMAND)};
    ::setenv("COLUMNS", "250", 1);  // no line is cut
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    prepare();
    ::execv(PQW_COMMAND, argv.data());
    ::_exit(127);
  }

  Outcome finish(pid_t child) const {
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
            content(dir_ / "out.txt"), content(dir_ / "err.txt")};
  }

  Outcome run(
      std::vector<std::string> arguments, const Prepare& prepare = [] {}) const {
    return finish(start(std::move(arguments), prepare));
  }

  // One line on stderr, nothing on stdout, exit code 1.
  void expect_failure(const Outcome& outcome, const std::string& message) const {
    expect_error(outcome, 1, message);
  }

  void expect_error(const Outcome& outcome, int status, const std::string& message) const {
    EXPECT_EQ(outcome.status, status);
    EXPECT_THAT(outcome.out, testing::IsEmpty());
    EXPECT_THAT(outcome.err, testing::StartsWith("pqw: "));
    EXPECT_THAT(outcome.err, testing::HasSubstr(message));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }

  bool exists(const std::string& name) const { return std::filesystem::exists(dir_ / name); }

  // Starts a run that takes far longer than anybody waits for it, so that signals arrive while it
  // learns.
  pid_t start_long_run(const Prepare& prepare = [] {}) const {
    write_model("long.safetensors", {"long.weight"}, {{2048, 512}});
    return start({"quantize", "long.safetensors", "-o", "m.h5", "--force", "--iterations",
                  "1000000", "--tolerance", "0", "--centroids", "2048"},
                 prepare);
  }

  // Waits until the tool is writing; false when it has ended before.
  bool wait_for(pid_t child, const std::string& file) const {
    siginfo_t ended = {};
    while (!exists(file) && ended.si_pid == 0) {
      if (::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOHANG | WNOWAIT) != 0)
        break;
      ::sched_yield();
    }
    return exists(file);
  }

  // The files of the folder whose name begins so, in the order of their names.
  std::vector<std::string> files(const std::string& beginning) const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename();
      if (name.starts_with(beginning)) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
  }

  const TempDir dir_;
};

}  // namespace pqw::test
