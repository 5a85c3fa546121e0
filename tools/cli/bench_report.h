// Times of served products as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include "cli/bench_tensor.h"
#include "cli/json.h"

namespace pqw::tool {

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
