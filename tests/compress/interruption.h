// Compression that is interrupted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "pqw/compress/compress.h"

namespace pqw::test {

struct Interruption : std::runtime_error {
  Interruption() : std::runtime_error("interrupted") {}
};

// Counts tensors and iterations; throws an Interruption after more than so many tensors.
struct CountingObserver : CompressObserver {
  explicit CountingObserver(std::size_t limit = SIZE_MAX) : most_done(limit) {}
  void on_start(std::size_t, std::size_t) override {}
  void on_tensor(const TensorInfo&) override {}
  void on_iteration(const EmIteration&) override { ++iterations; }
  void on_tensor_done(const TensorReport&) override {
    if (++done > most_done) throw Interruption();
  }
  void on_kept(const std::string& folder) override { kept = folder; }
  void on_not_kept(const std::string& why) override { not_kept.push_back(why); }
  std::size_t most_done, done = 0, iterations = 0;
  std::string kept;
  std::vector<std::string> not_kept;
};

}  // namespace pqw::test
