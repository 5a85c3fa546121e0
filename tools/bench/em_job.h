// A measured child: the files through which it gets a problem and gives its answer, and its work.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace pqw::bench {

// One k-means problem, as given to a child. Its arguments, in this order: contender, blocks file
// (raw float32 [N][d]), d, K, iterations, seed, answer (the prefix of the files it writes).
struct Job {
  std::string contender = {};
  std::string blocks_path;
  std::size_t block_size = 0;
  std::size_t n_centroids = 0;
  std::size_t iterations = 0;
  std::size_t seed = 0;
  std::string answer_path;

  std::vector<std::string> arguments() const;
};

// Files of an answer: <prefix>.codebook, raw float32 [K][d]; <prefix>.codes, raw uint16 [N], the
// nearest centroid of every block; <prefix>.json, {"cpu_s", "wall_s", ...}: the time from blocks in
// memory to codebook and codes in memory, by the child's own clocks, all its threads counted.
std::string codebook_path(const std::string& answer);
std::string codes_path(const std::string& answer);
std::string times_path(const std::string& answer);

// A contender that cannot run because its package is missing ends with this exit code.
constexpr int kExitNotInstalled = 3;

// Raw files of little-endian values. Errors: std::runtime_error.
std::vector<float> read_floats(const std::string& path);
std::vector<std::uint16_t> read_codes(const std::string& path);
void write_raw(const std::string& path, const void* data, std::size_t n_bytes);

// Runs the job's contender ("pqw" or "faiss") in this process and writes its answer.
// Errors: pqw::Error, std::exception.
void train(const Job& job);

// Measures assign() on the job's blocks and every N/K-th of them as a centroid, in turns with the
// peak, on this thread's CPU clock; OpenMP must have been told to use one thread. Writes to
// <answer>.json: {"gmac_per_s", "peak_gmac_per_s", "peak_instructions", "fraction", "m_step_share",
// "rounds"}, of which the rates are medians. A MAC is one of the N * K * d multiply-adds of the exhaustive
// search, needed or not. Errors: std::exception.
void measure_estep(const Job& job);

}  // namespace pqw::bench
