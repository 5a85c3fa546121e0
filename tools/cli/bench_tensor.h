// Compares serving a weight with its dense product: checks the answers first, then takes times, and
// reports them as a table and as JSON.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "cli/json.h"
#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"

namespace pqw::tool {

struct BatchTimes {
  std::size_t batch = 0;
  double dense_s = 0;
  std::string dense_method;  // in BLAS
  double served_s = 0;
  std::string kernel;  // Product::describe
  // ‖y - y'‖ / ‖y'‖, y' being the product in double with the decoded weight.
  double dense_error = 0;
  double served_error = 0;
  // True if served_error of a pq weight is within the bound of the precision. Always true for other
  // codecs, which have no bound.
  bool as_documented = true;

  double ratio() const { return dense_s / served_s; }
};

struct TensorTimes {
  TensorInfo info;
  std::string codec;
  std::string settings;
  std::size_t code_bytes = 0;  // of the codes, or of what else the weight is made of
  std::vector<BatchTimes> batches;

  double code_bytes_per_s(const BatchTimes& times) const {
    return static_cast<double>(code_bytes) / times.served_s;
  }
};

// The times of each batch size, on normal x. Convolutions are taken as the product of their matrix
// with `batch` patches. Errors: kCorrupt when an answer is wrong, not merely rounded.
std::vector<BatchTimes> time_weight(const std::string& name, const Weight& weight,
                                    const std::vector<std::size_t>& batches,
                                    const ServeOptions& options);

// Bytes of the codes of a product-quantized weight, without codebooks; for other codecs of the
// whole weight.
std::size_t code_bytes(const Weight& weight);

struct BenchReport {
  std::string archive;
  int n_threads = 1;
  ServeOptions options;
  std::string blas_core;
  std::vector<TensorTimes> tensors;
  std::vector<std::string> left_out;  // tensors that the chosen method does not apply to
};

// A line per tensor and batch.
std::string to_table(const BenchReport& report, std::size_t width);
void append(const BenchReport& report, Json& document);

}  // namespace pqw::tool
