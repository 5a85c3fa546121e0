// Runs of the tool in which an allocation fails.
#include "tests/torture/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "tests/support/file_content.h"
#include "tests/support/normal_weights.h"
#include "tests/support/temp_dir.h"
#include "tests/torture/isolated.h"
#include "tests/torture/process.h"

namespace pqw::torture {
namespace {

constexpr char kDone = 'n';      // succeeded, and did what it does with enough memory
constexpr char kRefused = 'o';   // exit code 1 and a message, the output as it was
constexpr char kReported = 'u';  // exit code 1, the output complete, and the message says so
constexpr char kEnded = 'x';     // HDF5 crashed; the output as it was
constexpr char kChanged = 'T';   // the output is neither the old nor the new one
constexpr char kLie = 'L';       // exit code or message contradict what is there
constexpr char kLeftover = 'R';  // a temporary of a process that lived to remove it

const std::map<char, std::string> kLabels = {
    {kDone, "done"},           {kRefused, "refused"}, {kReported, "complete, report failed"},
    {kEnded, "ended in HDF5"}, {kChanged, "TORN"},    {kLie, "WRONG REPORT"},
    {kLeftover, "LEFTOVER"},   {kCrash, "CRASH"},     {kHang, "HANG"}};

bool is_fine(char result) {
  return result == kDone || result == kRefused || result == kReported || result == kEnded;
}

const std::string kOldOutput = "what was there before";

struct Command {
  std::string name;
  std::vector<std::string> arguments;  // of which those beginning with '@' are files of the folder
  std::string output;                  // in the folder; empty: there is none
  // The HDF5 library writes in the process of the tool. It may crash where its own allocations
  // fail, which cannot be helped: then the output still has to be the old one.
  bool writes_hdf5 = false;
};

const Command kCommands[] = {
    {"eval .npz .safetensors", {"eval", "@w.npz", "@w.safetensors"}, "", false},
    {"eval .npy .h5", {"eval", "@one.npy", "@one.h5"}, "", false},
    {"verify", {"verify", "@a.h5"}, "", false},
    {"inspect", {"inspect", "@a.h5"}, "", false},
    {"decode to .safetensors", {"decode", "@a.h5", "--force", "-o"}, "@out.safetensors", false},
    {"decode tensorized", {"decode", "@t.h5", "--force", "-o"}, "@out.safetensors", false},
    {"decode to .npz", {"decode", "@a.h5", "--force", "-o"}, "@out.npz", false},
    {"decode to .h5", {"decode", "@a.h5", "--force", "-o"}, "@out.h5", true},
    {"quantize", {"quantize", "@w.safetensors", "--force", "-o"}, "@out.h5", true}};

// The files of all commands in one folder, and runs of one of them.
class Bench {
 public:
  explicit Bench(const Command& command) : command_(command) {
    const std::vector<TensorInfo> several = {{"fc.weight", DType::kF32, {64, 32}},
                                             {"fc.bias", DType::kF32, {64}},
                                             {"scalar", DType::kF32, {}}};
    for (const char* name : {"w.npz", "w.safetensors"})
      test::write_normal_weights(dir_ / name, several);
    for (const char* name : {"one.npy", "one.h5"}) {
      test::write_normal_weights(dir_ / name, {{"arr_0", DType::kF32, {16, 16}}});
    }
    quantize("w.safetensors", "a.h5", {"--codec", "pq", "--centroids", "16", "--restarts", "1"});
    quantize("w.safetensors", "t.h5", {"--codec", "tensorized"});
    n_files_ = count_files() + (command.output.empty() ? 0 : 1);
    if (run({"PQW_MEMORY_LOG=" + log_ / "count"}) != 0) std::abort();
    n_allocations_ = std::stoul(test::content(log_ / "count"));
    expected_ = result();
    if (n_allocations_ == 0) std::abort();
  }

  std::size_t n_allocations() const { return n_allocations_; }

  char judge_run(std::size_t failing, bool sticky) const {
    const int status = run({"PQW_MEMORY_AT=" + std::to_string(failing),
                            std::string("PQW_MEMORY_STICKY=") + (sticky ? "1" : "0")});
    const bool is_old = command_.output.empty() || output() == kOldOutput;
    if (!is_old && output() != expected_) return kChanged;
    if (status == 128 + SIGALRM) return kHang;
    if (status > 128) {
      const bool is_signal_of_hdf5 = status == 128 + SIGSEGV || status == 128 + SIGABRT;
      const bool is_ours = says("terminate called") || says("libgcc_s");
      return command_.writes_hdf5 && is_signal_of_hdf5 && !is_ours && is_old ? kEnded : kCrash;
    }
    if (count_files() != n_files_) return kLeftover;
    if (status == 0) return result() == expected_ ? kDone : kLie;
    if (status != 1) return kLie;
    // Where there is no memory for more than the message, it may not say what became of the output.
    if (is_old) return reports_failure() && !says("is complete") ? kRefused : kLie;
    return says("is complete") ? kReported : kLie;
  }

  std::string message() const { return test::content(log_ / "stderr"); }

 private:
  bool says(const char* text) const { return message().find(text) != std::string::npos; }

  // libgomp and HDF5 end the process themselves.
  bool reports_failure() const {
    return says("libgomp: ") || says("ended by a library") || says("pqw: out of memory") ||
           (says("pqw: ") && (command_.output.empty() || says(" is as it was")));
  }

  void quantize(const char* input, const char* output, std::vector<std::string> options) const {
    options.insert(options.begin(), {PQW_COMMAND, "quantize", dir_ / input, "-o", dir_ / output});
    if (finish(start(options, {}, log_.path().string())) != 0) std::abort();
  }

  std::string path(const std::string& argument) const { return dir_ / argument.substr(1); }
  std::string output() const { return test::content(path(command_.output)); }
  std::string result() const {
    return command_.output.empty() ? test::content(log_ / "stdout") : output();
  }
  std::ptrdiff_t count_files() const {
    return std::distance(std::filesystem::directory_iterator(dir_.path()), {});
  }

  int run(std::vector<std::string> variables) const {
    for (const auto& entry : std::filesystem::directory_iterator(dir_.path())) {
      if (entry.path().extension() == ".tmp") std::filesystem::remove(entry.path());
    }
    std::vector<std::string> arguments = {PQW_COMMAND};
    for (const std::string& argument : command_.arguments) {
      arguments.push_back(argument.starts_with('@') ? path(argument) : argument);
    }
    if (!command_.output.empty()) {
      arguments.push_back(path(command_.output));
      test::set_content(arguments.back(), kOldOutput);
    }
    variables.push_back("LD_PRELOAD=" PQW_MEMORY_SHIM);
    variables.push_back("PQW_MEMORY_FOLDER=" + dir_.path().string());
    variables.push_back("OMP_NUM_THREADS=1");  // the same allocations in every run
    return finish(start(arguments, variables, log_.path().string()));
  }

  const Command& command_;
  const test::TempDir dir_, log_;
  std::ptrdiff_t n_files_ = 0;
  std::size_t n_allocations_ = 0;
  std::string expected_;
};

}  // namespace

bool fail_allocations(bool all) {
  bool ok = true;
  for (const Command& command : kCommands) {
    const Bench bench(command);
    const std::size_t n = bench.n_allocations();
    const std::size_t step = std::max<std::size_t>(1, n / (all ? 1000 : 10));
    Counts counts;
    for (const bool sticky : {false, true}) {
      for (std::size_t k = 1; k <= n; k += step) {
        const char result = bench.judge_run(k, sticky);
        ++counts[result];
        if (is_fine(result)) continue;
        fmt::print(stderr, "{}, allocation {} of {}{}: {}: {}\n", command.name, k, n,
                   sticky ? " and all later ones" : "", kLabels.at(result), bench.message());
        ok = false;
      }
    }
    print_row(fmt::format("{}, no memory ({} allocations)", command.name, n), counts, kLabels);
    ok = counts.contains(kRefused) && ok;  // else nothing has failed
  }
  return ok;
}

}  // namespace pqw::torture
