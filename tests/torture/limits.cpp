// Every verb of the tool under limits of the machine.
#include "tests/torture/limits.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/deny_calls.h"
#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kDone = 'n';       // the bytes of a run without the limit
constexpr char kRefused = 'o';    // exit code 1, one line, the output as it was
constexpr char kReported = 'u';   // complete, but not synced, as the message says
constexpr char kEnded = 'e';      // by the signal that tells of the limit, the output as it was
constexpr char kNotLoaded = 'l';  // the loader of the system could not start the program
constexpr char kInHdf5 = 'x';     // HDF5 crashed without memory; the output as it was
constexpr char kTorn = 'T';       // the output is neither the old nor the new one
constexpr char kTalk = 'L';       // no message, or more than a line
constexpr char kBlame = 'B';      // the message blames the file
constexpr char kLeftover = 'R';

const std::map<char, std::string> kLabels = {
    {kDone, "done"},         {kRefused, "refused"},
    {kEnded, "ended"},       {kReported, "complete, not synced"},
    {kInHdf5, "in HDF5"},    {kTorn, "TORN"},
    {kTalk, "NOT ONE LINE"}, {kBlame, "WRONG BLAME"},
    {kCrash, "CRASH"},       {kLeftover, "LEFTOVER"},
    {kHang, "HANG"},         {kNotLoaded, "not loaded"}};

bool is_fine(char result) { return std::string("nouelx").find(result) != std::string::npos; }

constexpr unsigned kMostSeconds = 60;
const std::string kOldOutput = "what was there before";

struct Verb {
  std::string name;
  std::vector<std::string> arguments;
  std::string output = {};  // empty: there is none
  bool prints_times = false;
};

const std::vector<Verb> kVerbs = {
    {"version", {"--version"}},
    {"help", {"quantize", "--help"}},
    {"verify", {"verify", "pq.h5"}},
    {"inspect", {"inspect", "low_rank.h5"}},
    {"eval", {"eval", "weights.h5", "pq.h5"}},
    {"bench", {"bench", "pq.h5", "--batch", "1", "--quiet"}, "", true},
    {"plan", {"quantize", "w.safetensors", "--dry-run"}},
    {"decode", {"decode", "pq.h5", "--force", "--quiet", "-o"}, "out.safetensors"},
    {"decode trusted",
     {"decode", "low_rank.h5", "--trusted", "--force", "--quiet", "-o"},
     "out.npz"},
    {"decode to HDF5", {"decode", "pq.h5", "--force", "--quiet", "-o"}, "out.hdf5"},
    {"pq", {"quantize", "w.safetensors", "--force", "--quiet", "-o"}, "out.h5"},
    {"faiss",
     {"quantize", "weights.h5", "--engine", "faiss", "--force", "--quiet", "-o"},
     "out.h5"},
    {"int8",
     {"quantize", "w.safetensors", "--codec", "int8", "--force", "--quiet", "-o"},
     "out.h5"},
    {"low_rank",
     {"quantize", "w.safetensors", "--codec", "low_rank", "--force", "--quiet", "-o"},
     "out.h5"},
    {"tensorized",
     {"quantize", "w.safetensors", "--codec", "tensorized", "--force", "--quiet", "-o"},
     "out.h5"}};

struct Limit {
  std::string name;
  std::function<void()> set;
  bool of_memory = false;
  std::vector<std::string> variables = {};
};

std::function<void()> lowered(__rlimit_resource resource, rlim_t value) {
  return [=] {
    const rlimit limit{value, value};
    ::setrlimit(resource, &limit);
  };
}

std::vector<std::string> files_of(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    names.push_back(entry.path());
  }
  std::ranges::sort(names);
  return names;
}

// The files of all verbs, and runs of one verb under one limit.
class Machine {
 public:
  Machine() {
    const std::vector<TensorInfo> infos = {{"fc.weight", DType::kF32, {512, 256}},
                                           {"conv.weight", DType::kF32, {32, 16, 3, 3}},
                                           {"fc.bias", DType::kF32, {512}}};
    for (const char* name : {"w.safetensors", "weights.h5"}) {
      test::write_normal_weights(dir_ / name, infos);
    }
    for (const char* codec : {"pq", "low_rank"}) {
      const std::vector<std::string> command = {PQW_COMMAND,
                                                "quantize",
                                                dir_ / "w.safetensors",
                                                "--codec",
                                                codec,
                                                "-o",
                                                dir_ / (codec + std::string(".h5"))};
      if (finish(start(command, {}, log_.path())) != 0) std::abort();
    }
    files_ = files_of(dir_.path());
    for (const Verb& verb : kVerbs) {
      if (run(verb, {"", [] {}}) != 0) std::abort();
      results_.push_back(result_of(verb));
    }
  }

  char judge(std::size_t index, const Limit& limit) const {
    const Verb& verb = kVerbs[index];
    const int status = run(verb, limit);
    const bool is_old = verb.output.empty() || output_of(verb) == kOldOutput;
    const std::string message = test::content(log_ / "stderr");
    if (status == 128 + SIGALRM) return kHang;
    if (status == 0) {
      if (!verb.prints_times && result_of(verb) != results_[index]) return kTorn;
      return is_clean(verb) ? kDone : kLeftover;
    }
    if (!is_old && status == 1 && result_of(verb) == results_[index]) {
      return message.find("; it is complete") != std::string::npos ? kReported : kTalk;
    }
    if (!is_old) return kTorn;
    if (!is_clean(verb)) return kLeftover;
    if (status == 127) return kNotLoaded;
    if (limit.of_memory && (status == 128 + SIGSEGV || status == 128 + SIGABRT)) return kInHdf5;
    if (status > 128) return kCrash;
    if (message.find("crafted") != std::string::npos) return kBlame;
    const bool is_line = std::ranges::count(message, '\n') == 1 && message.starts_with("pqw: ");
    return status == 1 && is_line ? kRefused : kTalk;
  }

  // A run that takes longer than the limit on processor time lets it.
  char judge_long_run() const {
    const Verb verb{"long",
                    {"quantize", "w.safetensors", "--iterations", "1000000", "--tolerance", "0",
                     "--restarts", "1000", "--force", "--quiet", "-o"},
                    "out.h5"};
    const int status = run(verb, {"", lowered(RLIMIT_CPU, 2)});
    if (output_of(verb) != kOldOutput) return kTorn;
    if (!is_clean(verb)) return kLeftover;
    return status == 128 + SIGXCPU ? kEnded : kCrash;
  }

  std::string message() const { return test::content(log_ / "stderr"); }

 private:
  std::string output_of(const Verb& verb) const { return test::content(dir_ / verb.output); }
  std::string result_of(const Verb& verb) const {
    return verb.output.empty() ? test::content(log_ / "stdout") : output_of(verb);
  }

  bool is_clean(const Verb& verb) const {
    std::vector<std::string> expected = files_;
    if (!verb.output.empty()) expected.push_back(dir_ / verb.output);
    std::ranges::sort(expected);
    return files_of(dir_.path()) == expected;
  }

  int run(const Verb& verb, const Limit& limit) const {
    for (const std::string& file : files_of(dir_.path())) {
      if (std::ranges::find(files_, file) == files_.end()) std::filesystem::remove_all(file);
    }
    std::vector<std::string> command = {PQW_COMMAND};
    command.insert(command.end(), verb.arguments.begin(), verb.arguments.end());
    if (!verb.output.empty()) {
      command.push_back(verb.output);
      test::set_content(dir_ / verb.output, kOldOutput);
    }
    return finish(start(command, limit.variables, log_.path(), kMostSeconds, [&] {
      if (::chdir(dir_.path().c_str()) != 0) ::_exit(126);
      limit.set();
    }));
  }

  const test::TempDir dir_, log_;
  std::vector<std::string> files_;
  std::vector<std::string> results_;
};

// Values from `least` on, each larger than the one before by a share.
std::vector<rlim_t> values(rlim_t least, rlim_t most, double share) {
  std::vector<rlim_t> result;
  for (auto value = static_cast<double>(least); value <= static_cast<double>(most);
       value *= 1 + share) {
    result.push_back(static_cast<rlim_t>(value));
  }
  return result;
}

struct Row {
  std::string name;
  std::vector<Limit> limits;
};

std::vector<Row> rows(bool all) {
  constexpr rlim_t kMebi = 1 << 20;
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, __rlimit_resource resource,
                       const std::vector<rlim_t>& at, bool of_memory) {
    Row row{name, {}};
    for (const rlim_t value : at) {
      row.limits.push_back(
          {fmt::format("{} {}", name, value), lowered(resource, value), of_memory});
    }
    rows.push_back(std::move(row));
  };
  const double fine = all ? 0.05 : 2;
  add("address space", RLIMIT_AS, values(30 * kMebi, 1000 * kMebi, fine), true);
  add("data", RLIMIT_DATA, values(2 * kMebi, 700 * kMebi, fine), true);
  add("file size", RLIMIT_FSIZE, values(300, kMebi, all ? 0.2 : 5), false);
  add("open files", RLIMIT_NOFILE, all ? values(4, 20, 0.1) : values(4, 20, 1), false);
  add("stack", RLIMIT_STACK, values(32 << 10, 16 * kMebi, all ? 0.2 : 3), false);
  Row processes{"processes", {}};
  for (const int error : {EAGAIN, EPERM}) {
    processes.limits.push_back({fmt::format("no processes ({})", error), [=] {
                                  if (!test::deny_calls({SYS_clone, SYS_clone3}, error)) {
                                    ::_exit(126);
                                  }
                                }});
  }
  rows.push_back(std::move(processes));
  Row numbers{"OMP_NUM_THREADS", {}};
  std::vector<const char*> some = {"abc", "64", "999999"};
  if (all) some.insert(some.end(), {"", "0", "-1", "4,3,2", "60000", "99999999999999999999"});
  for (const char* number : some) {
    numbers.limits.push_back({fmt::format("OMP_NUM_THREADS={}", number),
                              [] {},
                              false,
                              {std::string("OMP_NUM_THREADS=") + number}});
  }
  rows.push_back(std::move(numbers));
  return rows;
}

}  // namespace

bool lower_limits(bool all) {
  const Machine machine;
  bool ok = true;
  for (const Row& row : rows(all)) {
    Counts counts;
    for (const Limit& limit : row.limits) {
      for (std::size_t i = 0; i < kVerbs.size(); ++i) {
        const char result = machine.judge(i, limit);
        ++counts[result];
        if (is_fine(result)) continue;
        fmt::print(stderr, "{}, {}: {}: {}\n", kVerbs[i].name, limit.name, kLabels.at(result),
                   machine.message());
        ok = false;
      }
    }
    print_row("limited: " + row.name, counts, kLabels);
  }
  const char result = machine.judge_long_run();
  print_row("limited: processor time", {{result, 1}}, kLabels);
  return ok && result == kEnded;
}

}  // namespace pqw::torture
