// Times of served products as a table and as JSON.
#pragma once

#include <string>
#include <vector>

#include "cli/bench_tensor.h"

namespace pqw::tool {

struct BenchReport {
  std::string archive;
  int n_threads = 1;
  ServeOptions options;
  std::string blas_core;
  std::vector<TensorTimes> tensors;
};

// A line per tensor and batch.
std::string to_table(const BenchReport& report);
std::string to_json(const BenchReport& report);

}  // namespace pqw::tool
