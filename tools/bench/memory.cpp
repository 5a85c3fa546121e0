// Peak memory of `pqw quantize` on files much larger than their largest tensor, against the promise
// of three times the largest tensor + 64 MiB.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "pqw/core/convert.h"
#include "pqw/formats/weight_file.h"

namespace {

constexpr std::size_t kMiB = 1 << 20;
constexpr std::size_t kTensors = 8;

struct Case {
  const char* extension;
  pqw::DType dtype;
  const char* block_size;
};

struct Result {
  std::uint64_t file_bytes = 0;
  std::uint64_t peak_bytes = 0;
};

// A square matrix of about that many bytes.
pqw::TensorInfo matrix_of(std::size_t bytes, pqw::DType dtype, std::size_t index) {
  const std::size_t rows = 2048;
  return {fmt::format("layer{}.weight", index),
          dtype,
          {rows, bytes / rows / pqw::size_in_bytes(dtype)}};
}

void write_model(const std::string& path, std::size_t tensor_bytes, pqw::DType dtype) {
  std::vector<pqw::TensorInfo> infos;
  for (std::size_t i = 0; i < kTensors; ++i) infos.push_back(matrix_of(tensor_bytes, dtype, i));
  const auto writer = pqw::create_weights(path, infos, {}, {.overwrite = true});
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(pqw::element_count(infos[0].shape));
  for (float& value : values) value = uniform(random);
  std::vector<std::byte> bytes(pqw::byte_count(infos[0]));
  pqw::from_float(values, dtype, bytes);
  for (std::size_t i = 0; i < kTensors; ++i) writer->add(bytes);
  writer->commit();
}

Result quantize(const std::string& input, const std::string& output, const char* block_size) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(::open("/dev/null", O_WRONLY), STDOUT_FILENO);
    ::execl(PQW_COMMAND, PQW_COMMAND, "quantize", input.c_str(), "-o", output.c_str(), "--force",
            "--quiet", "--centroids", "16", "--iterations", "2", "--block-size", block_size,
            nullptr);
    ::_exit(127);
  }
  int status = 0;
  struct rusage usage;
  if (::wait4(child, &status, 0, &usage) != child || status != 0) {
    throw std::runtime_error(fmt::format("pqw quantize {} failed", input));
  }
  return {std::filesystem::file_size(input), static_cast<std::uint64_t>(usage.ru_maxrss) * 1024};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Peak memory of pqw quantize.", "pqw_bench_memory");
  std::size_t tensor_mib = 64;
  bool as_json = false;
  app.add_option("--tensor-mib", tensor_mib, "size of each of the 8 tensors (default 64)");
  app.add_flag("--json", as_json, "print JSON");
  CLI11_PARSE(app, argc, argv);

  const std::size_t tensor_bytes = tensor_mib * kMiB;
  const std::uint64_t bound = 3 * tensor_bytes + 64 * kMiB;
  const auto folder =
      std::filesystem::temp_directory_path() / fmt::format("pqw_memory.{}", ::getpid());
  std::filesystem::create_directory(folder);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  bool kept = true;
  try {
    for (const Case& c :
         {Case{"safetensors", pqw::DType::kF32, "8"}, Case{"safetensors", pqw::DType::kF32, "1"},
          Case{"safetensors", pqw::DType::kF16, "8"}, Case{"safetensors", pqw::DType::kF16, "1"},
          Case{"safetensors", pqw::DType::kF64, "8"}, Case{"npz", pqw::DType::kF32, "8"},
          Case{"h5", pqw::DType::kF32, "8"}}) {
      const std::string input = (folder / "model.").string() + c.extension;
      write_model(input, tensor_bytes, c.dtype);
      const Result result = quantize(input, (folder / "out.pqw.h5").string(), c.block_size);
      std::filesystem::remove(input);
      kept &= result.peak_bytes <= bound;
      rows.push_back({{"format", c.extension},
                      {"dtype", pqw::to_string(c.dtype)},
                      {"block_size", c.block_size},
                      {"file_mib", result.file_bytes / kMiB},
                      {"largest_tensor_mib", tensor_mib},
                      {"peak_mib", result.peak_bytes / kMiB},
                      {"bound_mib", bound / kMiB}});
    }
  } catch (const std::exception& error) {
    fmt::print(stderr, "pqw_bench_memory: {}\n", error.what());
    kept = false;
  }
  std::filesystem::remove_all(folder);
  if (as_json) {
    fmt::print("{}\n", rows.dump(2));
  } else {
    fmt::print("{:<12} {:>5} {:>5} {:>9} {:>12} {:>9} {:>10}\n", "format", "dtype", "block",
               "file MiB", "largest MiB", "peak MiB", "bound MiB");
    for (const auto& row : rows) {
      fmt::print("{:<12} {:>5} {:>5} {:>9} {:>12} {:>9} {:>10}\n", row["format"].get<std::string>(),
                 row["dtype"].get<std::string>(), row["block_size"].get<std::string>(),
                 row["file_mib"].get<std::size_t>(), row["largest_tensor_mib"].get<std::size_t>(),
                 row["peak_mib"].get<std::size_t>(), row["bound_mib"].get<std::size_t>());
    }
  }
  return kept ? 0 : 1;
}
