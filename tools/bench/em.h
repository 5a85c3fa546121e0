// Children of the EM benchmark, which em.py starts: the problems, a measured run, its check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace pqw::bench {

struct Case {
  std::string name;
  std::size_t n_blocks = 0;
  std::size_t block_size = 0;
  std::size_t n_centroids = 0;
  std::function<std::vector<float>()> blocks;  // float[N][block_size]
};

// Gaussian mixtures from fixed seeds, of N / shrink blocks each.
std::vector<Case> synthetic_cases(std::size_t shrink);

// The n_layers largest float tensors of rank >= 2 in a file of weights, in blocks of 4 with 256
// centroids, called "layer:<tensor>". Errors: pqw::Error.
std::vector<Case> layer_cases(const std::string& path, std::size_t n_layers);

// One k-means problem. A child's arguments, in this order: contender, blocks file (raw float32
// [N][d]), d, K, iterations, seed, answer.
struct Job {
  std::string contender;
  std::string blocks_path;
  std::size_t block_size = 0;
  std::size_t n_centroids = 0;
  std::size_t iterations = 0;
  std::size_t seed = 0;
  // The prefix of the files of an answer: <prefix>.codebook, raw float32 [K][d]; <prefix>.codes,
  // raw uint16 [N], the nearest centroid of every block; <prefix>.json, {"cpu_s", "wall_s", ...}:
  // the time from blocks in memory to codebook and codes in memory, by the child's own clocks, all
  // its threads counted.
  std::string answer_path;
};

// Raw files of little-endian values. Errors: std::runtime_error.
template <class T>
std::vector<T> read_raw(const std::string& path);
void write_raw(const std::string& path, const void* data, std::size_t n_bytes);

// Runs the job's contender ("pqw", "pqw-all" or "faiss") in this process and writes its answer.
// Errors: pqw::Error, std::exception.
void train(const Job& job);

// Measures assign() on the job's blocks and every N/K-th of them as a centroid, in turns with the
// peak, on this thread's CPU clock; OpenMP must have been told to use one thread. Returns
// {"gmac_per_s", "peak_gmac_per_s", "peak_instructions", "fraction", "m_step_share", "rounds"}, of
// which the rates are medians. A MAC is one of the N * K * d multiply-adds of the exhaustive search,
// needed or not. Errors: std::exception.
nlohmann::ordered_json measure_estep(const Job& job);

struct Peak {
  const char* instructions;
  // Runs n_steps rounds of independent multiply-adds of whole vectors, returns how many
  // multiply-adds of single floats that were, and stores a value that depends on all of them.
  double (*multiply_add)(std::size_t n_steps, volatile float* sink);
};

// Of this processor: fused multiply-adds of its widest vectors of floats in registers.
Peak best_peak();

// Returns {"objective", "squared_norm", "problem"}: Σ‖x - c(code of x)‖² and Σ‖x‖² over all blocks,
// in double. An answer is right, its problem empty, when it has K finite centroids and a code below
// K for every block, and when the codes are those of the nearest centroids: on an evenly spaced
// sample, their summed squared distances exceed the least ones, found by a loop in double, by a
// share of max_excess at most.
nlohmann::ordered_json check_answer(const Job& job, double max_excess);

}  // namespace pqw::bench
