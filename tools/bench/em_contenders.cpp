// Who is measured, and one measured run.
#include "bench/em_contenders.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace pqw::bench {
namespace {

constexpr double kExactExcess = 1e-6;  // distances as differences
constexpr double kFloatExcess = 1e-4;  // distances expanded as |x|^2 + |c|^2 - 2xc in float

std::vector<std::string> command_of(const Programs& programs, bool in_python, const Job& job) {
  std::vector<std::string> command = in_python
                                         ? std::vector<std::string>{programs.python, PQW_EM_PEERS}
                                         : std::vector<std::string>{programs.self, "child"};
  const std::vector<std::string> arguments = job.arguments();
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

// OpenBLAS runs its oldest kernels on a processor that it does not know, unless it is told better.
const char* blas_core() {
#ifdef PQW_BENCH_X86
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return "SkylakeX";
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return "Haswell";
#endif
  return nullptr;
}

void remove_answer(const std::string& answer) {
  for (const std::string& path : {codebook_path(answer), codes_path(answer), times_path(answer)}) {
    std::filesystem::remove(path);
  }
}

nlohmann::json read_json(const std::string& path) {
  std::ifstream file(path);
  return nlohmann::json::parse(file);
}

// Fills the run from the files of a child that ended well.
void read_answer(const Contender& contender, const Job& job, std::span<const float> blocks,
                 Run& run) {
  const nlohmann::json times = read_json(times_path(job.answer_path));
  run.cpu_s = times.at("cpu_s");
  run.wall_s = times.at("wall_s");
  run.note = times.value("note", "");
  run.extrapolated = times.value("extrapolated", false);
  if (run.extrapolated) return;
  constexpr double kClockTolerance_s = 0.05;
  const Checked checked = check_answer(
      blocks, job.block_size, job.n_centroids, read_floats(codebook_path(job.answer_path)),
      read_codes(codes_path(job.answer_path)), contender.max_excess);
  run.objective = checked.objective;
  if (!checked.problem.empty()) {
    run.outcome = Outcome::kWrong;
    run.note = checked.problem;
  } else if (run.cpu_s > run.process_cpu_s + kClockTolerance_s) {
    run.outcome = Outcome::kWrong;
    run.note = fmt::format("claims {:.2f} s of the {:.2f} s of CPU time that its process took",
                           run.cpu_s, run.process_cpu_s);
  }
}

}  // namespace

std::vector<Contender> all_contenders(std::size_t threads) {
  constexpr std::size_t kIterations = 20;
  constexpr std::size_t kFairseqIterations = 15;
  Environment plain;
  for (const char* name : {"OMP_WAIT_POLICY", "OMP_PROC_BIND", "GOMP_SPINCOUNT", "OMP_NUM_THREADS",
                           "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE", "MKL_NUM_THREADS"}) {
    plain[name] = std::nullopt;
  }
  if (threads > 0) plain["OMP_NUM_THREADS"] = std::to_string(threads);
  Environment asleep = plain;  // as the command-line tool runs
  asleep["OMP_WAIT_POLICY"] = std::string("passive");
  Environment right_blas = plain;
  if (const char* core = blas_core()) right_blas["OPENBLAS_CORETYPE"] = std::string(core);
  Environment best_for_faiss = right_blas;
  best_for_faiss["OMP_WAIT_POLICY"] = std::string("passive");
  best_for_faiss["OPENBLAS_NUM_THREADS"] = std::string("1");
  return {
      {"pqw", "pqw", false, kIterations, asleep, kExactExcess},
      {"pqw-all", "pqw-all", false, kIterations, asleep, kExactExcess},
      {"faiss", "faiss", false, kIterations, best_for_faiss, kFloatExcess},
      {"faiss-default", "faiss", false, kIterations, plain, kFloatExcess},
      {"sklearn", "sklearn", true, kIterations, right_blas, kFloatExcess},
      {"torch-matmul", "torch-matmul", true, kFairseqIterations, right_blas, kFloatExcess},
      {"torch-broadcast", "torch-broadcast", true, kFairseqIterations, right_blas, kFloatExcess},
  };
}

Run run_contender(const Contender& contender, const Programs& programs, Job job,
                  std::span<const float> blocks, double timeout_s) {
  job.contender = contender.job_name;
  job.iterations = contender.iterations;
  const std::vector<std::string> command = command_of(programs, contender.in_python, job);
  remove_answer(job.answer_path);
  const ProcessResult process = run_process(command, contender.environment, timeout_s);
  Run run;
  run.process_cpu_s = process.cpu_s;
  if (process.timed_out) {
    run.outcome = Outcome::kTimedOut;
    run.cpu_s = process.cpu_s;
    run.wall_s = process.wall_s;
    run.note = fmt::format("stopped after {:.0f} s", process.wall_s);
  } else if (contender.in_python &&
             (process.exit_code == kExitNotInstalled || process.exit_code == 127)) {
    run.outcome = Outcome::kNotInstalled;
    run.note = "not installed";
  } else if (process.exit_code != 0) {
    run.outcome = Outcome::kFailed;
    run.note = fmt::format("exit code {}", process.exit_code);
  } else {
    read_answer(contender, job, blocks, run);
  }
  remove_answer(job.answer_path);
  return run;
}

std::string run_estep(const Programs& programs, Job job, double timeout_s) {
  job.contender = "estep";
  const Environment one_thread = {{"OMP_NUM_THREADS", std::string("1")}};
  const ProcessResult process =
      run_process(command_of(programs, false, job), one_thread, timeout_s);
  if (process.timed_out || process.exit_code != 0) {
    throw std::runtime_error(fmt::format("measuring the E-step failed ({})", process.exit_code));
  }
  const nlohmann::json result = read_json(times_path(job.answer_path));
  remove_answer(job.answer_path);
  return result.dump();
}

}  // namespace pqw::bench
