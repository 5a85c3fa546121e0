// Runs of the tool that signals end.
#include "tests/torture/signals.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kOld = 'o';
constexpr char kNew = 'n';   // the signal came after the output was complete
constexpr char kDone = 'd';  // the run had ended before
constexpr char kTorn = 'T';
constexpr char kStatus = 'S';  // the exit status is neither 0 nor the signal
constexpr char kLeftover = 'R';

const std::map<char, std::string> kLabels = {{kOld, "old"},
                                             {kNew, "new"},
                                             {kDone, "done"},
                                             {kTorn, "TORN"},
                                             {kStatus, "WRONG STATUS"},
                                             {kLeftover, "LEFTOVER"}};

const std::vector<int> kSignals = {SIGHUP,  SIGINT,  SIGQUIT,   SIGUSR1,  SIGUSR2,   SIGPIPE,
                                   SIGALRM, SIGTERM, SIGSTKFLT, SIGXCPU,  SIGVTALRM, SIGPROF,
                                   SIGPOLL, SIGPWR,  SIGSEGV,   SIGBUS,   SIGFPE,    SIGILL,
                                   SIGABRT, SIGSYS,  SIGTRAP,   SIGRTMIN, SIGRTMAX};

const std::string kOldOutput = "what was there before";

struct Command {
  std::string name;
  std::vector<std::string> arguments;
  std::string output;
};

const Command kCommands[] = {
    {"quantize", {"quantize", "w.safetensors", "--force", "--iterations", "4", "-o"}, "out.h5"},
    {"quantize --codec low_rank",
     {"quantize", "w.safetensors", "--codec", "low_rank", "--force", "-o"},
     "out.h5"},
    {"quantize --dry-run", {"quantize", "w.safetensors", "--dry-run", "--output"}, "none"},
    {"decode to .safetensors", {"decode", "a.h5", "--force", "-o"}, "out.safetensors"},
    {"decode to .npz", {"decode", "a.h5", "--force", "-o"}, "out.npz"},
    {"decode to .h5", {"decode", "a.h5", "--force", "-o"}, "out.hdf5"}};

// One command, its inputs, its result when nobody disturbs it, and the time that takes.
class Target {
 public:
  explicit Target(const Command& command) : command_(command) {
    std::vector<TensorInfo> infos;
    for (int i = 0; i < 3; ++i) {
      infos.push_back({"large." + std::to_string(i), DType::kF32, {1025, 512}});
      infos.push_back({"small." + std::to_string(i), DType::kF32, {128, 64}});
    }
    test::write_normal_weights(dir_ / "w.safetensors", infos);
    if (finish(start({PQW_COMMAND, "quantize", dir_ / "w.safetensors", "-o", dir_ / "a.h5",
                      "--iterations", "1", "--restarts", "1"},
                     {}, log_.path())) != 0) {
      std::abort();
    }
    const auto begin = std::chrono::steady_clock::now();
    if (finish(begin_run()) != 0) std::abort();
    time_ = std::chrono::steady_clock::now() - begin;
    expected_ = output();
  }

  char judge(int signal, double share) const {
    const pid_t child = begin_run();
    ::usleep(static_cast<useconds_t>(time_.count() * share));
    ::kill(child, signal);
    const int status = finish(child);
    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir_.path())) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".tmp") || name.starts_with("pqw_size.")) return kLeftover;
    }
    const bool is_new = output() == expected_, is_old = output() == kOldOutput;
    if (!is_new && !is_old) return kTorn;
    if (status == 0) return is_new ? kDone : kTorn;
    if (status != 128 + signal) return kStatus;
    return is_old ? kOld : kNew;
  }

 private:
  std::string output() const { return test::content(dir_ / command_.output); }

  pid_t begin_run() const {
    std::vector<std::string> command = {PQW_COMMAND};
    command.insert(command.end(), command_.arguments.begin(), command_.arguments.end());
    command.push_back(command_.output);
    test::set_content(dir_ / command_.output, kOldOutput);
    return start(command, {"TMPDIR=" + dir_.path().string()}, log_.path(), 120, [&] {
      const rlimit no_core{0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      if (::chdir(dir_.path().c_str()) != 0) ::_exit(126);
    });
  }

  const Command& command_;
  const test::TempDir dir_, log_;
  std::chrono::duration<double, std::micro> time_{};
  std::string expected_;
};

}  // namespace

bool send_signals(bool all) {
  std::mt19937 random(1);
  std::uniform_real_distribution<double> share(0, 1.1);
  bool ok = true;
  std::size_t n_commands = 0;
  for (const Command& command : kCommands) {
    ++n_commands;
    const Target target(command);
    Counts counts;
    for (int round = 0; round < (all ? 40 : 1); ++round) {
      for (std::size_t i = all ? 0 : n_commands % 3; i < kSignals.size(); i += all ? 1 : 3) {
        const int signal = kSignals[i];
        const char result = target.judge(signal, share(random));
        ++counts[result];
        if (result == kOld || result == kNew || result == kDone) continue;
        fmt::print(stderr, "{}, signal {}: {}\n", command.name, signal, kLabels.at(result));
        ok = false;
      }
    }
    print_row(command.name + ", ended by signals", counts, kLabels);
  }
  return ok;
}

}  // namespace pqw::torture
