// Multiplying from codes: ours in each precision against dense products and the scalar loop.
//
// Contenders take turns within a round, in one process; an answer is checked before its time
// counts. Cold: each call uses the next of so many copies of the weights that all of them come from
// memory.
#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "bench/lookup_contenders.h"
#include "pqw/codecs/kernels.h"
#include "timing/clock.h"
#include "timing/dense.h"
#include "timing/text_table.h"
#include "timing/threads.h"

namespace pqw::bench {
namespace {

struct Options {
  bool as_json = false;
  bool quick = false;
  std::vector<std::string> shapes = {"4096x4096", "11008x4096", "1024x4096", "512x512"};
  std::vector<std::string> codes = {"256,4", "256,8", "256,16", "16,4", "16,8"};
  std::vector<std::size_t> batches = {1, 4, 16, 64, 256};
  std::vector<int> threads = {1, 2};
  std::vector<std::string> modes = {"cold", "hot"};
  std::size_t rounds = 9;
  std::size_t cold_mib = 0;
  std::string ggml;
};

void add_options(CLI::App& app, Options& options) {
  app.add_flag("--json", options.as_json, "print JSON");
  app.add_flag("--quick", options.quick,
               "3 rounds of 4096x4096 and 1024x4096, K,d 256,8 and 16,4, batch 1 and 16, a thread, "
               "--cold-mib 128");
  app.add_option("--shape", options.shapes, "rows x columns; repeatable");
  app.add_option("--codes", options.codes, "K,d; repeatable");
  app.add_option("--batch", options.batches, "rows of x")->delimiter(',');
  app.add_option("--threads", options.threads, "threads")->delimiter(',');
  app.add_option("--mode", options.modes, "cold, hot or both")
      ->check(CLI::IsMember({"cold", "hot"}));
  app.add_option("--rounds", options.rounds, "rounds of turns (default 9)");
  app.add_option("--cold-mib", options.cold_mib,
                 "bytes of copies of each contender when cold (default: 5 times the L3 cache)");
  app.add_option("--ggml", options.ggml, "folder with libggml-base.so; one thread only");
}

void make_quick(Options& options) {
  options.shapes = {"4096x4096", "1024x4096"};
  options.codes = {"256,8", "16,4"};
  options.batches = {1, 16};
  options.threads = {1};
  options.rounds = 3;
  constexpr std::size_t kMib = 128;  // eight contenders take about 1.5 GB then
  if (options.cold_mib == 0) options.cold_mib = kMib;
}

std::size_t cold_bytes(const Options& options) {
  if (options.cold_mib > 0) return options.cold_mib << 20;
  const long l3 = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  return 5 * static_cast<std::size_t>(std::max(l3, 32L << 20));
}

// Bytes of memory read in a second: the best of three passes.
double read_bandwidth(std::size_t n_bytes, int n_threads) {
  const std::vector<std::uint64_t> words(n_bytes / sizeof(std::uint64_t), 1);
  double best = 0;
  for (int pass = 0; pass < 3; ++pass) {
    std::uint64_t sum = 0;
    const double s = timing::seconds_of([&] {
#pragma omp parallel for simd reduction(+ : sum) num_threads(n_threads)
      for (std::size_t i = 0; i < words.size(); ++i) sum += words[i];
    });
    if (sum == words.size()) best = std::max(best, static_cast<double>(n_bytes) / s);
  }
  return best;
}

struct Measured {
  std::string name;
  double error;
  double seconds = 0;
};

// One line of the table: all contenders at one batch size.
class Case {
 public:
  Case(const Problem& problem, std::size_t batch, bool cold, std::size_t bytes,
       const std::string& ggml)
      : problem_(problem), batch_(batch), cold_(cold) {
    const std::size_t copies = cold ? bytes : 0;
    for (const Precision precision : {Precision::kHigh, Precision::kFast, Precision::kExact}) {
      contenders_.push_back(pqw_contender(problem, precision, copies));
    }
    contenders_.push_back(openblas_contender(problem, copies));
    std::ranges::move(onednn_contenders(problem, batch, copies), std::back_inserter(contenders_));
    contenders_.push_back(scalar_contender(problem, copies));
    if (!ggml.empty()) {
      std::ranges::move(ggml_contenders(ggml, problem, batch, copies),
                        std::back_inserter(contenders_));
    }
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    x_.resize(batch * problem.weight.cols());
    for (float& value : x_) value = normal(random);
    y_.resize(batch * problem.weight.rows());
  }

  std::vector<Measured> run(std::size_t rounds) {
    std::vector<Measured> results;
    const auto expected = timing::multiply_in_double(problem_.w(), x());
    for (const Contender& contender : contenders_) {
      contender.multiply(0, x(), y());
      const double error = error_of_answer(contender, expected);
      if (!(error <= contender.tolerance)) {
        throw std::runtime_error(fmt::format("{} is wrong: relative error {:.2g}, {:.2g} allowed",
                                             contender.name, error, contender.tolerance));
      }
      results.push_back({contender.name, timing::relative_error(y_, expected)});
    }
    std::vector<std::function<void()>> calls;
    for (const Contender& contender : contenders_) {
      calls.emplace_back([&, next = std::size_t{1}]() mutable {
        contender.multiply(cold_ ? next++ : 0, x(), y());
      });
    }
    const std::vector<double> medians = timing::median_seconds(calls, rounds);
    for (std::size_t i = 0; i < medians.size(); ++i) results[i].seconds = medians[i];
    return results;
  }

 private:
  // Of y, which the contender computed from its own weights.
  double error_of_answer(const Contender& contender, const std::vector<double>& expected) const {
    if (contender.own_weights.empty()) return timing::relative_error(y_, expected);
    const ConstMatrix w{contender.own_weights.data(), problem_.weight.rows(),
                        problem_.weight.cols()};
    return timing::relative_error(y_, timing::multiply_in_double(w, x()));
  }
  ConstMatrix x() const { return {x_.data(), batch_, problem_.weight.cols()}; }
  MutableMatrix y() { return {y_.data(), batch_, problem_.weight.rows()}; }

  const Problem& problem_;
  std::size_t batch_;
  bool cold_;
  std::vector<Contender> contenders_;
  std::vector<float> x_, y_;
};

nlohmann::ordered_json to_json(const Problem& problem, std::size_t batch, const std::string& mode,
                               int n_threads, double bandwidth,
                               const std::vector<Measured>& results) {
  const PqWeight& weight = problem.weight;
  const double code_bytes =
      static_cast<double>(weight.codes.size()) / (weight.n_centroids <= 16 ? 2 : 1);
  nlohmann::ordered_json json = {{"shape", weight.shape},
                                 {"centroids", weight.n_centroids},
                                 {"block_size", weight.block_size},
                                 {"batch", batch},
                                 {"mode", mode},
                                 {"threads", n_threads},
                                 {"read_gb_s", bandwidth / 1e9}};
  for (const Measured& ours : results) {
    if (!ours.name.starts_with("pqw")) continue;
    const double s = ours.seconds;
    const auto precision = *parse_precision(ours.name.substr(4));
    nlohmann::ordered_json entry = {
        {"method", make_product(weight, {.precision = precision})->describe(batch)},
        {"us", s * 1e6},
        {"relative_error", ours.error},
        {"code_gb_s", code_bytes / s / 1e9},
        {"of_read_bandwidth", code_bytes / s / bandwidth}};
    for (const Measured& other : results) {
      if (!other.name.starts_with("pqw")) entry["x " + other.name] = other.seconds / s;
    }
    json[ours.name] = entry;
  }
  for (const Measured& other : results) {
    if (other.name.starts_with("pqw")) continue;
    json[other.name] = {{"us", other.seconds * 1e6}, {"relative_error", other.error}};
  }
  return json;
}

std::vector<std::string> to_row(const nlohmann::ordered_json& json, const std::string& ours) {
  const auto& entry = json[ours];
  const auto ratio = [&](const char* name) {
    const std::string key = "x " + std::string(name);
    return entry.contains(key) ? fmt::format("{:.2f}", entry[key].get<double>()) : "-";
  };
  const std::size_t rows = json["shape"][0], cols = json["shape"][1];
  return {fmt::format("{}x{}", rows, cols),
          fmt::format("{},{}", json["centroids"].get<int>(), json["block_size"].get<int>()),
          fmt::format("{}", json["batch"].get<int>()),
          json["mode"],
          fmt::format("{}", json["threads"].get<int>()),
          ours.substr(4),
          fmt::format("{:.1f}", entry["us"].get<double>()),
          fmt::format("{:.1f}", entry["code_gb_s"].get<double>()),
          fmt::format("{:.0f}%", 100 * entry["of_read_bandwidth"].get<double>()),
          ratio("openblas fp32"),
          ratio("onednn fp32"),
          ratio("onednn bf16"),
          ratio("onednn int8"),
          ratio("scalar loop"),
          ratio("ggml Q4_0"),
          ratio("ggml Q2_K"),
          fmt::format("{:.1e}", entry["relative_error"].get<double>()),
          entry["method"]};
}

const std::vector<timing::Column> kColumns = {
    {"shape", true}, {"K,d"},      {"batch"},   {"mode", true}, {"threads"}, {"pqw", true},
    {"us"},          {"GB/s"},     {"of DRAM"}, {"x blas"},     {"x fp32"},  {"x bf16"},
    {"x int8"},      {"x scalar"}, {"x Q4_0"},  {"x Q2_K"},     {"error"},   {"method", true}};

void run(const Options& options) {
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  std::vector<std::vector<std::string>> rows;
  const std::size_t bytes = cold_bytes(options);
  omp_set_num_threads(std::ranges::max(options.threads));
  (void)timing::blas_core();  // loaded for that many threads
  for (const int n_threads : options.threads) {
    omp_set_num_threads(n_threads);
    timing::set_blas_threads(static_cast<std::size_t>(n_threads));
    for (const std::string& shape : options.shapes) {
      for (const std::string& codes : options.codes) {
        const auto [n_rows, n_cols] = parse_pair(shape, 'x');
        const auto [n_centroids, d] = parse_pair(codes, ',');
        const Problem problem = random_problem(n_rows, n_cols, d, n_centroids);
        for (const std::size_t batch : options.batches) {
          for (const std::string& mode : options.modes) {
            fmt::print(stderr, "{} {} batch {} {} {} threads\n", shape, codes, batch, mode,
                       n_threads);
            const auto results =
                Case(problem, batch, mode == "cold", bytes, n_threads == 1 ? options.ggml : "")
                    .run(options.rounds);
            const double bandwidth =
                read_bandwidth(std::min(bytes, std::size_t{1} << 30), n_threads);
            lines.push_back(to_json(problem, batch, mode, n_threads, bandwidth, results));
            for (const char* ours : {"pqw high", "pqw fast", "pqw exact"}) {
              rows.push_back(to_row(lines.back(), ours));
            }
          }
        }
      }
    }
  }
  if (options.as_json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"kernel", kernel_name()},
                                              {"openblas", timing::blas_core()},
                                              {"rounds", options.rounds},
                                              {"cold_bytes", bytes},
                                              {"cases", lines}}
                           .dump(2));
    return;
  }
  fmt::print("{} kernels; OpenBLAS for {}; medians of {} rounds; x NAME: time of NAME / ours\n{}",
             kernel_name(), timing::blas_core(), options.rounds,
             timing::text_table(kColumns, rows));
}

int main_checked(int argc, char** argv) {
  CLI::App app("Multiplying from codes against dense products.", "pqw_bench_lookup");
  Options options;
  add_options(app, options);
  CLI11_PARSE(app, argc, argv);
  if (options.quick) make_quick(options);
  run(options);
  return 0;
}

}  // namespace
}  // namespace pqw::bench

bool pqw::timing::contenders_take_turns(int, char**) { return true; }

int main(int argc, char** argv) {
  try {
    return pqw::bench::main_checked(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "pqw_bench_lookup: {}\n", error.what());
    return 1;
  }
}
