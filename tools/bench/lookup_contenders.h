// The contenders of the lookup benchmark.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"

namespace pqw::bench {

// y = x Wᵀ with copy number i of its weights, each of which lies elsewhere in memory.
struct Contender {
  std::string name;
  double tolerance;     // relative L2 of y against the product of its weights in double
  std::size_t n_bytes;  // of a copy
  std::function<void(std::size_t copy, ConstMatrix x, MutableMatrix y)> multiply;
  std::vector<float> own_weights =
      {};  // what it multiplies with, if this is not the decoded matrix
};

// The weights of all contenders: the codes, and the decoded matrix.
struct Problem {
  PqWeight weight;
  std::vector<float> dense;
  ConstMatrix w() const { return {dense.data(), weight.rows(), weight.cols()}; }
};
// Two numbers, such as the rows and columns of "4096x1024". Errors: CLI::ValidationError.
std::pair<std::size_t, std::size_t> parse_pair(const std::string& text, char separator);

Problem random_problem(std::size_t rows, std::size_t cols, std::size_t block_size,
                       std::size_t n_centroids);

// As many copies as fill `cold_bytes`, or one for 0.
std::size_t copies_for(std::size_t n_bytes, std::size_t cold_bytes);

// Ours in each precision; OpenBLAS: sgemv for one row of x, sgemm for more; the loop over a table
// of products as AQLM writes it for the CPU: y[i] += table[j][code[j][i]], a position after
// another.
Contender pqw_contender(const Problem& problem, Precision precision, std::size_t cold_bytes);
Contender openblas_contender(const Problem& problem, std::size_t cold_bytes);
Contender scalar_contender(const Problem& problem, std::size_t cold_bytes);

// oneDNN in float32, bfloat16 and int8 with dynamic quantization of x; none where it was not found
// when this was built, or has no such product for this processor. Made for one batch size.
std::vector<Contender> onednn_contenders(const Problem& problem, std::size_t batch,
                                         std::size_t cold_bytes);

// ggml in its formats Q4_0 and Q2_K, quantized from the decoded matrix; one thread. `folder` has
// libggml-base.so and libggml-cpu-*.so. Made for one batch size.
std::vector<Contender> ggml_contenders(const std::string& folder, const Problem& problem,
                                       std::size_t batch, std::size_t cold_bytes);

}  // namespace pqw::bench
