// Children of the EM benchmark, which em.py starts. All but `train` print JSON.
#include "bench/em.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <stdexcept>

namespace pqw::bench {

template <class T>
std::vector<T> read_raw(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff n_bytes = file ? static_cast<std::streamoff>(file.tellg()) : 0;
  std::vector<T> values(static_cast<std::size_t>(n_bytes) / sizeof(T));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(T)));
  if (!file) throw std::runtime_error(fmt::format("cannot read {}", path));
  return values;
}
template std::vector<float> read_raw(const std::string&);
template std::vector<std::uint16_t> read_raw(const std::string&);

void write_raw(const std::string& path, const void* data, std::size_t n_bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(n_bytes));
  if (!file.flush()) throw std::runtime_error(fmt::format("cannot write {}", path));
}

namespace {

void print(const nlohmann::ordered_json& json) { fmt::print("{}\n", json.dump()); }

// The list of cases, or one of them to a file.
void print_cases(const std::vector<Case>& cases) {
  auto list = nlohmann::ordered_json::array();
  for (const Case& c : cases) {
    list.push_back({{"case", c.name},
                    {"blocks", c.n_blocks},
                    {"block_size", c.block_size},
                    {"centroids", c.n_centroids}});
  }
  print(list);
}

void write_blocks(const std::vector<Case>& cases, const std::string& name,
                  const std::string& path) {
  const std::vector<float> blocks = std::ranges::find(cases, name, &Case::name)->blocks();
  write_raw(path, blocks.data(), blocks.size() * sizeof(float));
  print(nullptr);
}

CLI::App* add_job(CLI::App& app, const char* name, Job& job) {
  CLI::App* child = app.add_subcommand(name);
  child->add_option("contender", job.contender)->required();
  child->add_option("blocks", job.blocks_path)->required();
  child->add_option("block_size", job.block_size)->required();
  child->add_option("n_centroids", job.n_centroids)->required();
  child->add_option("iterations", job.iterations)->required();
  child->add_option("seed", job.seed)->required();
  child->add_option("answer", job.answer_path)->required();
  return child;
}

int main_checked(int argc, char** argv) {
  CLI::App app("Children of the EM benchmark: see em.py.", "pqw_bench_em");
  std::size_t shrink = 1, n_layers = 5;
  std::string weights, name, path;
  Job job;
  double max_excess = 0;
  app.require_subcommand(1);
  app.add_option("--shrink", shrink);
  app.add_option("--weights", weights);
  app.add_option("--layers", n_layers);
  const auto cases = [&] {
    std::vector<Case> all = synthetic_cases(shrink);
    if (!weights.empty()) {
      std::ranges::move(layer_cases(weights, n_layers), std::back_inserter(all));
    }
    return all;
  };
  app.add_subcommand("cases")->final_callback([&] { print_cases(cases()); });
  CLI::App* blocks = app.add_subcommand("blocks");
  blocks->add_option("case", name)->required();
  blocks->add_option("file", path)->required();
  blocks->final_callback([&] { write_blocks(cases(), name, path); });
  add_job(app, "train", job)->final_callback([&] { train(job); });
  add_job(app, "estep", job)->final_callback([&] { print(measure_estep(job)); });
  CLI::App* check = add_job(app, "check", job);
  check->add_option("max_excess", max_excess)->required();
  check->final_callback([&] { print(check_answer(job, max_excess)); });
  CLI11_PARSE(app, argc, argv);
  return 0;
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
