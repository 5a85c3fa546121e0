// Compression that is killed and resumed until it is done.
#include "tests/torture/resume.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kKilled = 'k';
constexpr char kSame = 's';
constexpr char kDifferent = 'D';
constexpr char kFailed = 'F';
constexpr char kLeftover = 'R';

const std::map<char, std::string> kLabels = {{kKilled, "killed"},
                                             {kSame, "done, same bytes"},
                                             {kDifferent, "OTHER BYTES"},
                                             {kFailed, "FAILED"},
                                             {kLeftover, "LEFTOVER"}};

// Tensors too large to be encoded side by side, and small ones between them.
void write_input(const std::string& path) {
  std::vector<TensorInfo> infos;
  for (int i = 0; i < 6; ++i) {
    infos.push_back({"large." + std::to_string(i), DType::kF32, {1025, 512}});
    infos.push_back({"small." + std::to_string(i), DType::kF32, {128, 64}});
  }
  test::write_normal_weights(path, infos);
}

}  // namespace

bool kill_and_resume(bool all) {
  const test::TempDir dir, log;
  const std::string input = log / "in.safetensors", output = dir / "out.h5";
  write_input(input);
  const auto start_run = [&](const std::string& to) {
    return start({PQW_COMMAND, "quantize", input, "-o", to, "--resume", "--force", "--quiet",
                  "--centroids", "64", "--iterations", "15", "--restarts", "1"},
                 {}, log.path().string());
  };
  const auto begin = std::chrono::steady_clock::now();
  if (finish(start_run(log / "whole.h5")) != 0) std::abort();
  const std::chrono::duration<double, std::micro> whole_run =
      std::chrono::steady_clock::now() - begin;
  const std::string expected = test::content(log / "whole.h5");

  std::mt19937 random(1);
  Counts counts;
  const std::size_t n_kills = all ? 60 : 4;
  while (counts[kKilled] < n_kills) {
    const pid_t child = start_run(output);
    ::usleep(static_cast<useconds_t>(random() % static_cast<unsigned>(whole_run.count() * 0.7)));
    ::kill(child, SIGKILL);
    const int status = finish(child);
    if (status == 128 + SIGKILL) {
      ++counts[kKilled];
      if (std::filesystem::exists(output)) ++counts[kDifferent];
      if (counts[kKilled] < n_kills) continue;
      if (finish(start_run(output)) != 0) ++counts[kFailed];
    } else if (status != 0) {
      ++counts[kFailed];
    }
    ++counts[test::content(output) == expected ? kSame : kDifferent];
    if (std::distance(std::filesystem::directory_iterator(dir.path()), {}) != 1) {
      ++counts[kLeftover];
    }
    std::filesystem::remove(output);
  }
  print_row("quantize --resume, killed at random", counts, kLabels);
  return counts[kDifferent] + counts[kFailed] + counts[kLeftover] == 0;
}

}  // namespace pqw::torture
