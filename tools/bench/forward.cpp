// The products of whole networks: every layer of archives with as many rows of x as a forward pass
// gives it, against dense products.
//
// Contenders take turns within a round, in one process and on one thread, and an answer is checked
// before its time counts: a rival whose answer is too far off (int8 with outliers) is left out of the
// layer. Patches of convolutions are taken as given.
#include <fmt/format.h>
#include <omp.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "bench/lookup_contenders.h"
#include "pqw/codecs/kernels.h"
#include "pqw/model/model.h"
#include "timing/clock.h"
#include "timing/dense.h"
#include "timing/text_table.h"
#include "timing/threads.h"

namespace pqw::bench {
namespace {

struct Options {
  std::vector<std::string> archives;
  std::vector<std::size_t> batches = {1, 32};
  std::string positions;
  std::size_t most_rows = 1024;
  std::size_t rounds = 5;
  bool layers = false;
};

constexpr const char* kOurs[] = {"codes", "fastest", "fast"};
constexpr const char* kDense[] = {"openblas fp32", "onednn fp32"};
constexpr double kNear = 0.95;  // of the speed of the fastest dense product

struct Timed {
  std::string tensor, shape, method;
  std::size_t rows;                       // of x
  std::map<std::string, double> seconds;  // by contender

  double dense() const {
    double least = INFINITY;
    for (const char* name : kDense) {
      if (seconds.contains(name)) least = std::min(least, seconds.at(name));
    }
    return least;
  }
};

Contender ours(const char* name, Weight weight, const ServeOptions& options) {
  const std::shared_ptr<const Product> product = make_product(std::move(weight), options);
  return {
      name, 2 * documented_error(options.precision), 0,
      [product](std::size_t, ConstMatrix x, MutableMatrix y) { product->multiply_rows(0, x, y); }};
}

Timed time_layer(const Model& model, const std::string& name, std::size_t rows,
                 const Options& options) {
  const Weight weight = model.weight(name);
  const MatrixShape matrix = head_of(weight).matrix();
  const std::size_t n = std::min(rows, options.most_rows);
  Problem problem;
  problem.weight.shape = {matrix.rows, matrix.cols};
  problem.dense.resize(matrix.rows * matrix.cols);
  decode_rows(weight, 0, {problem.dense.data(), matrix.rows, matrix.cols});
  const ServeOptions fastest{.memory = ServeMemory::kFastest};
  std::vector<Contender> contenders = {
      ours("codes", weight, {}), ours("fastest", weight, fastest),
      ours("fast", weight, {.precision = Precision::kFast, .memory = ServeMemory::kFastest}),
      openblas_contender(problem, 0)};
  std::ranges::move(onednn_contenders(problem, n, 0), std::back_inserter(contenders));

  std::mt19937 random(2);
  std::normal_distribution<float> normal;
  std::vector<float> x(n * matrix.cols), y(n * matrix.rows);
  for (float& value : x) value = normal(random);
  const ConstMatrix xs{x.data(), n, matrix.cols};
  const std::vector<double> expected = timing::multiply_in_double(problem.w(), xs);
  Timed timed{name,
              fmt::format("{}x{}", matrix.rows, matrix.cols),
              make_product(weight, fastest)->describe(n),
              rows,
              {}};
  std::vector<std::function<void()>> calls;
  for (const Contender& contender : contenders) {
    calls.emplace_back([&] { contender.multiply(0, xs, {y.data(), n, matrix.rows}); });
    calls.back()();
    const double error = timing::relative_error(y, expected);
    if (error <= contender.tolerance) {
      timed.seconds[contender.name] = 0;
    } else if (std::ranges::find(kOurs, contender.name) != std::end(kOurs)) {
      throw std::runtime_error(
          fmt::format("{}: {} is wrong: relative error {:.2g}", name, contender.name, error));
    }
  }
  const std::vector<double> medians = timing::median_seconds(calls, options.rounds);
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    timed.seconds[contenders[i].name] =
        medians[i] * static_cast<double>(rows) / static_cast<double>(n);
  }
  return timed;
}

// Whether a layer is a product of a compressed matrix. Embeddings are not, nor are depthwise
// convolutions, which some files do not tell from others: their kernels have one input channel.
bool is_product(const Model& model, const TensorInfo& info) {
  const bool is_depthwise = info.shape.size() > 2 && info.shape[1] == 1;
  return info.shape.size() >= 2 && model.codec(info.name) != "plain" && !is_depthwise &&
         info.layout.kind != Kind::kEmbedding && info.layout.kind != Kind::kDepthwise;
}

void print(const std::string& archive, std::size_t batch, const std::vector<Timed>& layers,
           const Options& options) {
  std::map<std::string, double> totals;
  std::size_t near = 0;
  std::vector<std::vector<std::string>> rows;
  for (const Timed& layer : layers) {
    for (const auto& [name, seconds] : layer.seconds) totals[name] += seconds;
    const double ratio = layer.dense() / layer.seconds.at("fastest");
    if (ratio >= kNear) ++near;
    std::vector<std::string> row = {layer.tensor, layer.shape, fmt::format("{}", layer.rows)};
    for (const char* name : kOurs) {
      row.push_back(fmt::format("{:.1f}", layer.seconds.at(name) * 1e6));
    }
    row.push_back(fmt::format("{:.1f}", layer.dense() * 1e6));
    row.push_back(fmt::format("{:.2f}", ratio));
    row.push_back(layer.method);
    if (options.layers || ratio < kNear) rows.push_back(row);
  }
  fmt::print("{}, batch {}: {} layers, {} at {} or more of the speed of dense float32\n", archive,
             batch, layers.size(), near, kNear);
  for (const auto& [name, seconds] : totals) fmt::print("  {}: {:.0f} us\n", name, seconds * 1e6);
  fmt::print("{}", timing::text_table({{"tensor", true, 20},
                                       {"shape", true},
                                       {"rows of x"},
                                       {"codes us"},
                                       {"fastest us"},
                                       {"fast us"},
                                       {"dense us"},
                                       {"dense/fastest"},
                                       {"method", true}},
                                      rows));
}

void run(const Options& options) {
  nlohmann::json positions = nlohmann::json::object();
  if (!options.positions.empty()) {
    std::ifstream file(options.positions);
    positions = nlohmann::json::parse(file);
  }
  for (const std::string& archive : options.archives) {
    const Model model(archive);
    for (const std::size_t batch : options.batches) {
      std::vector<Timed> layers;
      for (const TensorInfo& info : model.tensors()) {
        if (!is_product(model, info)) continue;
        const std::size_t per_input = positions.value(info.name, std::size_t{1});
        layers.push_back(time_layer(model, info.name, batch * per_input, options));
      }
      print(archive, batch, layers, options);
    }
  }
}

int main_checked(int argc, char** argv) {
  CLI::App app("Every layer of networks against dense products.", "pqw_bench_forward");
  Options options;
  app.add_option("ARCHIVE", options.archives, "archives, best of --for serving")->required();
  app.add_option("--batch", options.batches, "inputs of a forward pass (default 1,32)")
      ->delimiter(',');
  app.add_option(
      "--positions", options.positions,
      "JSON file {tensor: rows of x for an input}, such as the pixels of the output of a "
      "convolution (default 1)");
  app.add_option("--most-rows", options.most_rows,
                 "rows of x that are timed; more are taken to cost as much each (default 1024)");
  app.add_option("--rounds", options.rounds, "rounds of turns (default 5)");
  app.add_flag("--layers", options.layers, "list all layers, not just the slow ones");
  CLI11_PARSE(app, argc, argv);
  omp_set_num_threads(1);
  timing::set_blas_threads(1);
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
    fmt::print(stderr, "pqw_bench_forward: {}\n", error.what());
    return 1;
  }
}
