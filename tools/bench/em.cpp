// Learning codebooks: the native EM against FAISS, scikit-learn and the schedule of fairseq.
//
// Every measurement is a process of its own, contenders take turns within a round, and an answer is
// checked before its time counts.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench/em_cases.h"
#include "bench/em_contenders.h"
#include "bench/em_job.h"
#include "bench/em_report.h"

namespace pqw::bench {
namespace {

struct Options {
  bool as_json = false;
  bool quick = false;
  std::vector<std::string> cases;
  std::vector<std::string> contenders;
  std::string weights;
  std::size_t n_layers = 5;
  std::size_t rounds = 3;
  std::size_t threads = 0;
  double timeout_s = 300;
  double repeat_limit_s = 60;
  std::string python = "/usr/bin/python3";
};

void add_options(CLI::App& app, Options& options) {
  app.add_flag("--json", options.as_json, "print JSON");
  app.add_flag("--quick", options.quick,
               "one round, synthetic cases of an eighth of the blocks, no faiss-default");
  app.add_option("--case", options.cases, "only cases whose name starts so; repeatable");
  app.add_option("--contender", options.contenders, "only pqw and these; repeatable");
  app.add_option("--weights", options.weights,
                 "a file of tensors: its largest matrices are cases too (layer:NAME)");
  app.add_option("--layers", options.n_layers, "how many of them (default 5)");
  app.add_option("--rounds", options.rounds, "runs of each contender (default 3)")
      ->check(CLI::PositiveNumber);
  app.add_option("--threads", options.threads, "OpenMP threads of a contender (default: all)");
  app.add_option("--timeout", options.timeout_s, "seconds until a run is stopped (default 300)");
  app.add_option("--repeat-limit", options.repeat_limit_s,
                 "a contender is not run again after a run of more seconds (default 60)");
  app.add_option("--python", options.python,
                 "interpreter with the optional numpy, scikit-learn, torch (default "
                 "/usr/bin/python3)");
}

std::vector<Case> chosen_cases(const Options& options) {
  std::vector<Case> cases = synthetic_cases(options.quick ? 8 : 1);
  if (!options.weights.empty()) {
    std::ranges::move(layer_cases(options.weights, options.n_layers), std::back_inserter(cases));
  }
  std::erase_if(cases, [&](const Case& c) {
    return !options.cases.empty() &&
           std::ranges::none_of(options.cases,
                                [&](const std::string& name) { return c.name.starts_with(name); });
  });
  return cases;
}

std::vector<Contender> chosen_contenders(const Options& options) {
  std::vector<Contender> contenders = all_contenders(options.threads);
  std::erase_if(contenders, [&](const Contender& c) {
    if (c.name == "pqw") return false;
    const bool named = std::ranges::find(options.contenders, c.name) != options.contenders.end();
    return options.contenders.empty() ? options.quick && c.name == "faiss-default" : !named;
  });
  return contenders;
}

// A contender is not run again when it failed, or when a round more of it would take too long.
bool worth_another_round(const Row& row, const Options& options) {
  return row.runs.empty() ||
         (row.runs.back().outcome == Outcome::kDone && !row.runs.back().extrapolated &&
          row.runs.back().wall_s <= options.repeat_limit_s);
}

CaseResult measure(const Case& problem, const std::vector<Contender>& contenders,
                   const Options& options, const std::string& folder) {
  const std::vector<float> blocks = problem.blocks();
  CaseResult result{.name = problem.name,
                    .n_blocks = blocks.size() / problem.block_size,
                    .block_size = problem.block_size,
                    .n_centroids = problem.n_centroids,
                    .squared_norm = squared_norm(blocks)};
  const Job job{.blocks_path = folder + "/blocks",
                .block_size = problem.block_size,
                .n_centroids = problem.n_centroids,
                .answer_path = folder + "/answer"};
  write_raw(job.blocks_path, blocks.data(), blocks.size() * sizeof(float));
  const Programs programs{std::filesystem::read_symlink("/proc/self/exe"), options.python};
  for (const Contender& contender : contenders) result.rows.push_back({contender.name, {}});
  for (std::size_t round = 0; round < (options.quick ? 1 : options.rounds); ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      Row& row = result.rows[i];
      if (!worth_another_round(row, options)) continue;
      fmt::print(stderr, "{}: round {}: {}\n", problem.name, round + 1, row.contender);
      row.runs.push_back(run_contender(contenders[i], programs, job, blocks, options.timeout_s));
    }
  }
  result.e_step = nlohmann::json::parse(run_estep(programs, job, options.timeout_s));
  return result;
}

bool all_right(const CaseResult& result) {
  return std::ranges::none_of(result.rows, [](const Row& row) {
    return std::ranges::any_of(row.runs, [](const Run& run) {
      return run.outcome == Outcome::kWrong || run.outcome == Outcome::kFailed;
    });
  });
}

void print_head(const Options& options) {
  const std::size_t threads =
      options.threads > 0 ? options.threads : std::thread::hardware_concurrency();
  fmt::print(
      "Medians of up to {} interleaved rounds, {} threads. 20 iterations and a final assignment;\n"
      "torch: the 15 iterations of fairseq. > stopped, ~ extrapolated.\n",
      options.quick ? 1 : options.rounds, threads);
}

// True when every answer was right.
bool run(const Options& options, const std::string& folder) {
  const std::vector<Contender> contenders = chosen_contenders(options);
  nlohmann::ordered_json json = {{"rounds", options.quick ? 1 : options.rounds},
                                 {"threads", options.threads},
                                 {"cases", nlohmann::ordered_json::array()}};
  std::vector<CaseResult> layers;
  bool right = true;
  if (!options.as_json) print_head(options);
  for (const Case& problem : chosen_cases(options)) {
    CaseResult result = measure(problem, contenders, options, folder);
    right &= all_right(result);
    json["cases"].push_back(to_json(result));
    if (!options.as_json) fmt::print("\n{}", to_table(json["cases"].back()));
    std::fflush(stdout);
    if (result.name.starts_with(kLayerPrefix)) layers.push_back(std::move(result));
  }
  if (layers.size() > 1) {
    json["all_layers"] = pooled(layers);
    if (!options.as_json) fmt::print("\n{}", pooled_table(json["all_layers"]));
  }
  if (options.as_json) fmt::print("{}\n", json.dump(2));
  return right;
}

void add_child(CLI::App& app, Job& job) {
  CLI::App* child = app.add_subcommand("child", "one measurement")->group("");
  child->add_option("contender", job.contender)->required();
  child->add_option("blocks", job.blocks_path)->required();
  child->add_option("block_size", job.block_size)->required();
  child->add_option("n_centroids", job.n_centroids)->required();
  child->add_option("iterations", job.iterations)->required();
  child->add_option("seed", job.seed)->required();
  child->add_option("answer", job.answer_path)->required();
}

int main_checked(int argc, char** argv) {
  CLI::App app("Learning codebooks: time and objective of the EM and of its peers.",
               "pqw_bench_em");
  Options options;
  Job job;
  add_options(app, options);
  add_child(app, job);
  CLI11_PARSE(app, argc, argv);
  if (app.got_subcommand("child")) {
    job.contender == "estep" ? measure_estep(job) : train(job);
    return 0;
  }
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("pqw_em.{}", ::getpid());
  std::filesystem::create_directory(folder);
  const struct Remover {
    std::filesystem::path path;
    ~Remover() { std::filesystem::remove_all(path); }
  } remover{folder};
  return run(options, folder) ? 0 : 1;
}

}  // namespace
}  // namespace pqw::bench

int main(int argc, char** argv) {
  try {
    return pqw::bench::main_checked(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "pqw_bench_em: {}\n", error.what());
    return 1;
  }
}
