// Ours, OpenBLAS, and the scalar loop.
#include "bench/lookup_contenders.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <random>

#include "timing/dense.h"

namespace pqw::bench {

std::pair<std::size_t, std::size_t> parse_pair(const std::string& text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos) throw CLI::ValidationError(text, "two numbers are needed");
  return {std::stoul(text.substr(0, at)), std::stoul(text.substr(at + 1))};
}

Problem random_problem(std::size_t rows, std::size_t cols, std::size_t block_size,
                       std::size_t n_centroids) {
  Problem problem;
  PqWeight& weight = problem.weight;
  weight.shape = {rows, cols};
  weight.block_size = block_size;
  weight.n_centroids = n_centroids;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  weight.codebooks.resize(n_centroids * block_size);
  for (float& value : weight.codebooks) value = normal(random);
  weight.codes.resize(weight.positions() * rows);
  for (auto& code : weight.codes) code = static_cast<std::uint16_t>(random() % n_centroids);
  problem.dense.resize(rows * cols);
  PqCodec::decode_rows(weight, 0, {problem.dense.data(), rows, cols});
  return problem;
}

std::size_t copies_for(std::size_t n_bytes, std::size_t cold_bytes) {
  return cold_bytes / std::max<std::size_t>(1, n_bytes) + 1;
}

Contender pqw_contender(const Problem& problem, Precision precision, std::size_t cold_bytes) {
  const PqWeight& weight = problem.weight;
  const std::size_t n_bytes = weight.codes.size() / (weight.n_centroids <= 16 ? 2 : 1);
  auto copies = std::make_shared<std::vector<std::unique_ptr<const Product>>>();
  for (std::size_t i = 0; i < copies_for(n_bytes, cold_bytes); ++i) {
    copies->push_back(make_product(weight, {.precision = precision}));
  }
  const double tolerance = precision == Precision::kExact  ? 1e-5
                           : precision == Precision::kHigh ? 1e-4
                                                           : 1.5e-2;
  return {"pqw " + std::string(to_string(precision)), tolerance, n_bytes,
          [copies](std::size_t copy, ConstMatrix x, MutableMatrix y) {
            (*copies)[copy % copies->size()]->multiply_rows(0, x, y);
          }};
}

Contender openblas_contender(const Problem& problem, std::size_t cold_bytes) {
  const std::size_t n_bytes = problem.dense.size() * sizeof(float);
  auto copies = std::make_shared<std::vector<std::vector<float>>>(copies_for(n_bytes, cold_bytes),
                                                                  problem.dense);
  const std::size_t rows = problem.weight.rows(), cols = problem.weight.cols();
  return {"openblas fp32", 1e-5, n_bytes,
          [copies, rows, cols](std::size_t copy, ConstMatrix x, MutableMatrix y) {
            const ConstMatrix w{(*copies)[copy % copies->size()].data(), rows, cols};
            using timing::DenseMethod;
            timing::multiply_dense(x.rows() == 1 ? DenseMethod::kGemv : DenseMethod::kGemm, w, x,
                                   y);
          }};
}

Contender scalar_contender(const Problem& problem, std::size_t cold_bytes) {
  const PqWeight& weight = problem.weight;
  const std::size_t n_bytes = weight.codes.size();
  const std::vector<std::uint8_t> codes(weight.codes.begin(), weight.codes.end());
  auto copies = std::make_shared<std::vector<std::vector<std::uint8_t>>>(
      copies_for(n_bytes, cold_bytes), codes);
  const std::size_t rows = weight.rows(), n_positions = weight.positions();
  const std::size_t d = weight.block_size, n_centroids = weight.n_centroids;
  auto codebook = std::make_shared<std::vector<float>>(weight.codebooks);
  auto table = std::make_shared<std::vector<float>>(n_positions * n_centroids);
  return {"scalar loop", 1e-5, n_bytes, [=](std::size_t copy, ConstMatrix x, MutableMatrix y) {
            const std::uint8_t* code = (*copies)[copy % copies->size()].data();
            for (std::size_t b = 0; b < x.rows(); ++b) {
              // table[position][centroid] is a product of matrices.
              timing::multiply_dense(timing::DenseMethod::kGemm, {codebook->data(), n_centroids, d},
                                     {x.row(b).data(), n_positions, d},
                                     {table->data(), n_positions, n_centroids});
              float* out = y.row(b).data();
              std::fill_n(out, rows, 0.0f);
              for (std::size_t p = 0; p < n_positions; ++p) {
                const float* entries = table->data() + p * n_centroids;
                for (std::size_t r = 0; r < rows; ++r) out[r] += entries[code[p * rows + r]];
              }
            }
          }};
}

#ifndef PQW_BENCH_ONEDNN
std::vector<Contender> onednn_contenders(const Problem&, std::size_t, std::size_t) { return {}; }
#endif

}  // namespace pqw::bench
