// Writers whose system calls fail, or that are killed, at every moment.
#include "tests/torture/faults.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>
#include <sstream>

#include "pqw/core/error.h"
#include "pqw/io/atomic_file.h"
#include "tests/support/file_content.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/golden.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kOld = 'o';       // failed, the old file is there
constexpr char kNew = 'n';       // succeeded, the new file is there
constexpr char kUnsynced = 'u';  // failed, the new file is there, and the message says so
constexpr char kChanged = 'T';   // neither old nor new
constexpr char kLie = 'L';       // exit code or message contradict what is there
constexpr char kLeftover = 'R';  // files remain beside the target

const std::map<char, std::string> kLabels = {
    {kOld, "old"},      {kNew, "new"},          {kUnsynced, "new, not synced"},
    {kChanged, "TORN"}, {kLie, "WRONG REPORT"}, {kLeftover, "LEFTOVER"},
    {kCrash, "CRASH"},  {kHang, "HANG"}};

bool is_fine(const Counts& counts) {
  return std::ranges::all_of(counts, [](const auto& count) {
    return count.first == kOld || count.first == kNew || count.first == kUnsynced;
  });
}

constexpr const char* kFormats[] = {"archive", "safetensors", "npy", "npz", "h5"};

// The target in a folder of its own, the old file in it, and what the writer makes of it.
class Target {
 public:
  explicit Target(const std::string& format)
      : format_(format), path_(dir_ / ("out." + (format == "archive" ? "h5" : format))) {
    write_generation(format, path_, 1);
    new_bytes_ = test::content(path_);
    write_generation(format, path_, 0);
    old_bytes_ = test::content(path_);
  }

  void reset() const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      if (entry.path() != path_) std::filesystem::remove_all(entry.path());
    }
    test::set_content(path_, old_bytes_);
  }

  pid_t start_writer(std::vector<std::string> variables) const {
    variables.push_back("LD_PRELOAD=" PQW_FAULT_SHIM);
    variables.push_back("PQW_FAULT_FOLDER=" + dir_.path().string());
    return start({"/proc/self/exe", "writer", format_, path_}, variables, log_.path().string());
  }

  // The calls of one run without faults, a word each.
  std::vector<std::string> calls() const {
    reset();
    const std::string log = log_ / "calls";
    if (finish(start_writer({"PQW_FAULT_LOG=" + log})) != 0) std::abort();
    std::istringstream lines(test::content(log));
    std::vector<std::string> calls;
    for (std::string line; std::getline(lines, line);) calls.push_back(line);
    return calls;
  }

  std::string error() const { return test::content(log_ / "stderr"); }

  bool is_alone() const {
    return std::distance(std::filesystem::directory_iterator(dir_.path()), {}) == 1;
  }

  // After a writer that ended with this status (of `finish`).
  char judge(int status) const {
    if (status > 128) return kCrash;
    const std::string found = test::content(path_);
    const bool is_new = found == new_bytes_;
    if (!is_new && found != old_bytes_) return kChanged;
    if (!is_alone()) return kLeftover;
    if (status == 0) return is_new ? kNew : kLie;
    if (!is_new) return kOld;
    return error().find("is complete") != std::string::npos ? kUnsynced : kLie;
  }

  // After a writer that was killed: the next one writes and cleans up.
  char judge_killed() const {
    const std::string found = test::content(path_);
    const bool is_new = found == new_bytes_;
    if (!is_new && found != old_bytes_) return kChanged;
    write_generation(format_, path_, 1);
    if (test::content(path_) != new_bytes_) return kChanged;
    if (!is_alone()) return kLeftover;
    return is_new ? kNew : kOld;
  }

 private:
  const test::TempDir dir_, log_;
  const std::string format_;
  const std::string path_;
  std::string old_bytes_, new_bytes_;
};

struct Fault {
  const char* name;
  std::vector<std::string> variables;
};

// The last calls must be: sync the file, rename it, sync the folder; nothing is written later.
bool ends_durably(const std::vector<std::string>& calls) {
  const std::vector<std::string> expected = {"fsync", "rename", "fsync folder"};
  return calls.size() > 3 && std::equal(expected.begin(), expected.end(), calls.end() - 3);
}

}  // namespace

int run_writer(const char* format, const char* path) {
  try {
    write_generation(format, path, 1);
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}

bool fail_writes(bool all) {
  const std::vector<Fault> faults = {
      {"EIO once", {"PQW_FAULT_KIND=eio"}},
      {"EIO from then on", {"PQW_FAULT_KIND=eio", "PQW_FAULT_STICKY=1"}},
      {"ENOSPC once", {"PQW_FAULT_KIND=enospc"}},
      {"ENOSPC from then on", {"PQW_FAULT_KIND=enospc", "PQW_FAULT_STICKY=1"}},
      {"short once", {"PQW_FAULT_KIND=short"}},
      {"short from then on", {"PQW_FAULT_KIND=short", "PQW_FAULT_STICKY=1"}}};
  bool ok = true;
  for (const std::string format : kFormats) {
    const Target target(format);
    const std::vector<std::string> calls = target.calls();
    if (!ends_durably(calls)) {
      fmt::print(stderr, "{}: does not end in fsync, rename, fsync of the folder\n", format);
      ok = false;
    }
    const std::size_t step = all ? 1 : 8;
    for (std::size_t f = 0; f < faults.size(); ++f) {
      const std::size_t offset = all ? 0 : f % step;
      Counts counts;
      for (std::size_t k = 1 + offset; k <= calls.size(); k += step) {
        target.reset();
        std::vector<std::string> variables = faults[f].variables;
        variables.push_back("PQW_FAULT_AT=" + std::to_string(k));
        const char result = target.judge(finish(target.start_writer(variables)));
        ++counts[result];
        if (!is_fine({{result, 1}})) {
          fmt::print(stderr, "{}, {} at call {} ({}): {}: {}", format, faults[f].name, k,
                     calls[k - 1], kLabels.at(result), target.error());
        }
      }
      print_row(fmt::format("{}, {}", format, faults[f].name), counts, kLabels);
      ok = is_fine(counts) && ok;
    }
  }
  return ok;
}

bool kill_at_writes(bool all) {
  bool ok = true;
  for (const std::string format : kFormats) {
    const Target target(format);
    const std::size_t n_calls = target.calls().size();
    Counts counts;
    for (const char* kind : {"kill", "torn"}) {
      for (std::size_t k = 1; k <= n_calls; k += all ? 1 : 8) {
        target.reset();
        const int status = finish(target.start_writer(
            {std::string("PQW_FAULT_KIND=") + kind, "PQW_FAULT_AT=" + std::to_string(k)}));
        ++counts[status == 128 + SIGKILL ? target.judge_killed() : kLie];
      }
    }
    print_row(fmt::format("{}, killed at each call", format), counts, kLabels);
    ok = is_fine(counts) && ok;
  }
  return ok;
}

bool kill_at_random(bool all) {
  std::mt19937 random(1);
  bool ok = true;
  for (const std::string format : kFormats) {
    const Target target(format);
    const auto start = std::chrono::steady_clock::now();
    (void)finish(target.start_writer({}));
    const auto run = std::chrono::steady_clock::now() - start;
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(run).count();
    Counts counts;
    for (int i = 0; i < (all ? 120 : 12); ++i) {
      target.reset();
      const pid_t child = target.start_writer({});
      ::usleep(static_cast<useconds_t>(random() % static_cast<unsigned>(us)));
      ::kill(child, SIGKILL);
      (void)finish(child);
      ++counts[target.judge_killed()];
    }
    print_row(fmt::format("{}, killed at random", format), counts, kLabels);
    ok = is_fine(counts) && ok;
  }
  return ok;
}

std::vector<LoggedWrite> log_archive_writes(const std::string& path) {
  const test::TempDir log;
  const std::string folder = std::filesystem::path(path).parent_path();
  const pid_t writer = start({"/proc/self/exe", "writer", "archive", path},
                             {"LD_PRELOAD=" PQW_FAULT_SHIM, "PQW_FAULT_FOLDER=" + folder,
                              "PQW_FAULT_DATA=" + (log / "data")},
                             log.path().string());
  if (finish(writer) != 0) std::abort();
  const std::string data = test::content(log / "data");
  std::vector<LoggedWrite> writes;
  for (std::size_t at = 0; at < data.size();) {
    std::array<std::uint64_t, 2> head{};  // offset, length
    std::memcpy(head.data(), data.data() + at, sizeof(head));
    at += sizeof(head);
    writes.push_back({head[0], data.substr(at, head[1])});
    at += head[1];
  }
  return writes;
}

bool read_while_writing(bool all) {
  const test::TempDir dir;
  const std::string path = dir / "out.h5";
  write_generation("archive", path, 1);
  const std::string second = read_everything(path);
  write_generation("archive", path, 0);
  const std::string first = read_everything(path);
  const pid_t writer = ::fork();
  if (writer == 0) {
    for (unsigned generation = 1;; generation ^= 1) write_generation("archive", path, generation);
  }
  const Counts counts = run_isolated(
      all ? 5000 : 500,
      [&](std::size_t) {
        try {
          const std::string found = read_everything(path);
          return found == first ? kOld : found == second ? kNew : kChanged;
        } catch (const Error& error) {
          fmt::print(stderr, "while writing: {}\n", error.what());
          return kLie;
        }
      },
      [](std::size_t i) { return fmt::format("reading while writing, case {}", i); });
  ::kill(writer, SIGKILL);
  (void)finish(writer);
  print_row("read while it is replaced", counts, kLabels);
  return is_fine(counts);
}

}  // namespace pqw::torture
