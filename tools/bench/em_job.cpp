// The files between the driver and a child.
#include "bench/em_job.h"

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>

namespace pqw::bench {
namespace {

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

}  // namespace

std::vector<std::string> Job::arguments() const {
  return {contender,
          blocks_path,
          std::to_string(block_size),
          std::to_string(n_centroids),
          std::to_string(iterations),
          std::to_string(seed),
          answer_path};
}

std::string codebook_path(const std::string& answer) { return answer + ".codebook"; }
std::string codes_path(const std::string& answer) { return answer + ".codes"; }
std::string times_path(const std::string& answer) { return answer + ".json"; }

std::vector<float> read_floats(const std::string& path) { return read_raw<float>(path); }

std::vector<std::uint16_t> read_codes(const std::string& path) {
  return read_raw<std::uint16_t>(path);
}

void write_raw(const std::string& path, const void* data, std::size_t n_bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(n_bytes));
  if (!file.flush()) throw std::runtime_error(fmt::format("cannot write {}", path));
}

}  // namespace pqw::bench
