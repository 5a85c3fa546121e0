// Randomized against full singular value decomposition: how much faster, how much worse.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/formats/weight_file.h"
#include "timing/clock.h"
#include "timing/threads.h"

namespace {

using namespace pqw;

struct Case {
  std::string name;
  FloatTensor tensor;
};

// Independent normal values, the hardest case: the singular values hardly fall.
Case normal_case(std::size_t rows, std::size_t cols) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  FloatTensor tensor{{"normal", DType::kF32, {rows, cols}}, std::vector<float>(rows * cols)};
  for (float& value : tensor.values) value = normal(random);
  return {fmt::format("normal-{}x{}", rows, cols), std::move(tensor)};
}

// The largest matrices of a file of weights.
void add_layers(const std::string& path, std::size_t n_layers, std::vector<Case>& cases) {
  const auto reader = open_weights(path);
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
    const TensorInfo& info = reader->tensors()[i];
    if (info.shape.size() >= 2 && is_compressible(info.dtype)) order.push_back(i);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return element_count(reader->tensors()[a].shape) > element_count(reader->tensors()[b].shape);
  });
  order.resize(std::min(order.size(), n_layers));
  for (const std::size_t i : order) {
    const TensorInfo& info = reader->tensors()[i];
    cases.push_back({info.name, read_floats(info, reader->read(i))});
  }
}

struct Run {
  double seconds = 0;
  double error = 0;  // ‖W - U V‖ / ‖W‖
};

// The least time of some runs; the error by the singular values that were kept, which the tests
// compare with that of the decoded weight.
Run run(const FloatTensor& tensor, std::size_t rank, SvdMethod method, int repeats) {
  Run result{1e300, 0};
  for (int i = 0; i < repeats; ++i) {
    const double seconds = timing::seconds_of([&] {
      const LowRankFactors factors =
          LowRankCodec::prepare(tensor, LowRankOptions{.rank = rank, .svd = method});
      result.error = std::sqrt(std::max(0.0, 1 - factors.kept.squares));
    });
    result.seconds = std::min(result.seconds, seconds);
  }
  return result;
}

}  // namespace

bool timing::contenders_take_turns(int, char**) { return false; }

int main(int argc, char** argv) {
  CLI::App app("Randomized against full singular value decomposition, at rank = smaller side / 8.");
  std::vector<std::size_t> sides = {256, 512, 1024};
  std::string file;
  std::size_t share = 8, n_layers = 5;
  int repeats = 3;
  bool json = false;
  app.add_option("--sides", sides, "sides of square matrices of normal values")->delimiter(',');
  app.add_option("--file", file, "also the largest matrices of these weights");
  app.add_option("--layers", n_layers, "how many of them (default 5)");
  app.add_option("--share", share, "rank = smaller side / this (default 8)");
  app.add_option("--repeats", repeats, "runs of which the fastest counts (default 3)");
  app.add_flag("--json", json, "print JSON");
  CLI11_PARSE(app, argc, argv);
  try {
    std::vector<Case> cases;
    for (const std::size_t side : sides) cases.push_back(normal_case(side, side));
    if (!file.empty()) add_layers(file, n_layers, cases);
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    if (!json) {
      fmt::print("{:<32}{:>12}{:>6}{:>11}{:>13}{:>8}{:>9}{:>9}\n", "matrix", "shape", "rank",
                 "full s", "randomized s", "faster", "error", "/ best");
    }
    for (const Case& c : cases) {
      const ConstMatrix w = c.tensor.matrix();
      const std::size_t rank = std::max<std::size_t>(1, std::min(w.rows(), w.cols()) / share);
      const Run full = run(c.tensor, rank, SvdMethod::kFull, repeats);
      const Run randomized = run(c.tensor, rank, SvdMethod::kRandomized, repeats);
      const double ratio = full.error > 0 ? randomized.error / full.error : 1;
      rows.push_back({{"matrix", c.name},
                      {"rows", w.rows()},
                      {"cols", w.cols()},
                      {"rank", rank},
                      {"full_seconds", full.seconds},
                      {"randomized_seconds", randomized.seconds},
                      {"error", randomized.error},
                      {"error_to_best", ratio}});
      if (json) continue;
      fmt::print("{:<32}{:>12}{:>6}{:>11.4f}{:>13.4f}{:>8.1f}{:>9.5f}{:>9.5f}\n", c.name,
                 fmt::format("{}x{}", w.rows(), w.cols()), rank, full.seconds, randomized.seconds,
                 full.seconds / randomized.seconds, randomized.error, ratio);
    }
    if (json) fmt::print("{}\n", rows.dump(2));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
