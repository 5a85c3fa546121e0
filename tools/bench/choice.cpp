// Whether the cost model chooses the fastest of the methods that hold codes only (not dense): each of
// them is timed beside the chosen one.
//
// Methods take turns within a round, in one process and on one thread, and an answer is checked
// before its time counts. All weights stay in the caches.
#include <fmt/format.h>
#include <omp.h>

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

constexpr ServeMethod kMethods[] = {ServeMethod::kLookup, ServeMethod::kBatchLookup,
                                    ServeMethod::kDecode, ServeMethod::kDecodeBf16,
                                    ServeMethod::kDecodeInt8};

struct Options {
  std::vector<std::string> shapes = {"64x64",     "256x256",   "512x512",  "128x1024",
                                     "1024x128",  "1024x1024", "2048x512", "1024x4096",
                                     "4096x1024", "4096x4096"};
  std::vector<std::string> codes = {"256,8", "256,4", "16,4"};
  std::vector<std::size_t> batches = {1, 2, 4, 8, 16, 32, 64, 128, 256};
  std::vector<std::string> precisions = {"exact", "high", "fast"};
  std::size_t rounds = 5;
  bool all = false;
  bool as_json = false;
};

struct Timed {
  std::string name;
  double seconds;
};

struct Choice {
  std::vector<std::string> cell;  // shape, codes, batch, precision
  std::string chosen;
  std::vector<Timed> methods;  // the fastest first

  double loss() const {
    const auto of_chosen = std::ranges::find(methods, chosen, &Timed::name);
    return of_chosen->seconds / methods.front().seconds - 1;
  }
};

Choice time_methods(const Problem& problem, Precision precision, std::size_t batch,
                    std::size_t rounds) {
  const std::size_t rows = problem.weight.rows(), cols = problem.weight.cols();
  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(batch * cols), y(batch * rows);
  for (float& value : x) value = normal(random);
  const ConstMatrix xs{x.data(), batch, cols};
  const std::vector<double> expected = timing::multiply_in_double(problem.w(), xs);
  Choice choice;
  choice.chosen = make_product(problem.weight, {.precision = precision})->describe(batch);
  std::vector<std::unique_ptr<const Product>> products;
  std::vector<std::function<void()>> calls;
  for (const ServeMethod method : kMethods) {
    auto product = make_product(problem.weight, {.precision = precision, .method = method});
    const std::string name = product->describe(batch);
    if (std::ranges::find(choice.methods, name, &Timed::name) != choice.methods.end()) continue;
    product->multiply_rows(0, xs, {y.data(), batch, rows});
    const double error = timing::relative_error(y, expected);
    if (!(error <= 2 * documented_error(precision))) {
      throw std::runtime_error(fmt::format("{} is wrong: relative error {:.2g}", name, error));
    }
    choice.methods.push_back({name, 0});
    calls.emplace_back([&, p = product.get()] {
      p->multiply_rows(0, xs, {y.data(), batch, rows});
    });
    products.push_back(std::move(product));
  }
  const std::vector<double> medians = timing::median_seconds(calls, rounds);
  for (std::size_t i = 0; i < medians.size(); ++i) choice.methods[i].seconds = medians[i];
  std::ranges::sort(choice.methods, {}, &Timed::seconds);
  return choice;
}

std::vector<Choice> time_all(const Options& options) {
  std::vector<Choice> choices;
  for (const std::string& shape : options.shapes) {
    for (const std::string& codes : options.codes) {
      const auto [n_rows, n_cols] = parse_pair(shape, 'x');
      const auto [n_centroids, d] = parse_pair(codes, ',');
      const Problem problem = random_problem(n_rows, n_cols, d, n_centroids);
      for (const std::string& precision : options.precisions) {
        for (const std::size_t batch : options.batches) {
          choices.push_back(
              time_methods(problem, *parse_precision(precision), batch, options.rounds));
          choices.back().cell = {shape, codes, fmt::format("{}", batch), precision};
        }
      }
      fmt::print(stderr, "{} {}\n", shape, codes);
    }
  }
  return choices;
}

void print(const std::vector<Choice>& choices, const Options& options) {
  std::vector<std::vector<std::string>> rows;
  std::size_t near = 0;
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Choice& choice : choices) {
    constexpr double kNear = 0.1;
    if (choice.loss() <= kNear) ++near;
    nlohmann::ordered_json times;
    for (const Timed& method : choice.methods) times[method.name] = method.seconds * 1e6;
    json.push_back({{"case", choice.cell}, {"chosen", choice.chosen}, {"us", times}});
    if (!options.all && choice.loss() <= kNear) continue;
    std::vector<std::string> row = choice.cell;
    row.push_back(fmt::format("{:.0f}%", choice.loss() * 100));
    row.push_back(choice.chosen);
    row.push_back(choice.methods.front().name);
    row.push_back(fmt::format("{:.1f}", choice.methods.front().seconds * 1e6));
    rows.push_back(row);
  }
  if (options.as_json) {
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}{} kernels, one thread: {} of {} choices ({:.1f}%) within 10% of the fastest\n",
             timing::text_table({{"shape", true},
                                 {"K,d"},
                                 {"batch"},
                                 {"precision", true},
                                 {"loss"},
                                 {"chosen", true},
                                 {"fastest", true},
                                 {"us"}},
                                rows),
             kernel_name(), near, choices.size(),
             100.0 * static_cast<double>(near) / static_cast<double>(choices.size()));
}

int main_checked(int argc, char** argv) {
  CLI::App app("The methods that the cost model chooses, against the fastest.", "pqw_bench_choice");
  Options options;
  app.add_option("--shape", options.shapes, "rows x columns; repeatable");
  app.add_option("--codes", options.codes, "K,d; repeatable");
  app.add_option("--batch", options.batches, "rows of x")->delimiter(',');
  app.add_option("--precision", options.precisions, "exact, high, fast")
      ->delimiter(',')
      ->check(CLI::IsMember({"exact", "high", "fast"}));
  app.add_option("--rounds", options.rounds, "rounds of turns (default 5)");
  app.add_flag("--all", options.all, "list all choices, not just the slow ones");
  app.add_flag("--json", options.as_json, "print the times of all methods as JSON");
  CLI11_PARSE(app, argc, argv);
  omp_set_num_threads(1);
  print(time_all(options), options);
  return 0;
}

}  // namespace
}  // namespace pqw::bench

bool pqw::timing::contenders_take_turns(int, char**) { return true; }

int main(int argc, char** argv) {
  try {
    return pqw::bench::main_checked(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "pqw_bench_choice: {}\n", error.what());
    return 1;
  }
}
