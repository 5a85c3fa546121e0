// A layer with correlated inputs, which encoders with statistics are judged by.
#pragma once

#include <cstddef>
#include <string>
#include <variant>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/core/output_error.h"
#include "tests/support/correlated_inputs.h"
#include "tests/support/reference.h"

namespace pqw::test {

// y = x Wᵀ. The inputs of all samples are correlated in the same way.
struct CalibratedLayer {
  std::size_t rows, cols;
  std::size_t n_groups = 1;  // of the rows, each with inputs of its own
  std::vector<float> w = normal_values(rows * cols, 5);
  std::vector<float> x = inputs(400, 1);
  std::vector<float> held_out = inputs(64, 2);
  std::vector<float> judge = inputs(100, 3);

  std::vector<float> inputs(std::size_t n, unsigned draw) const {
    return correlated_inputs(n, n_groups * cols, 40, 1, draw);
  }

  template <class Weight>
  Weight encode(const std::string& settings, const InputStatistics* statistics,
                const PqImportance* importance = nullptr) const {
    const FloatTensor tensor{{"w", DType::kF32, {rows, cols}}, w};
    const Encoding encoding(tensor, options_from(parse_settings(settings)));
    return std::get<Weight>(encoding.encode({.importance = importance, .inputs = statistics}));
  }

  template <class Weight>
  double error(const Weight& weight) const {
    const std::vector<float> v = decoded(weight);
    const std::size_t n = n_groups * cols;
    return output_error({w.data(), rows, cols}, {v.data(), rows, cols},
                        {judge.data(), judge.size() / n, n});
  }
};

}  // namespace pqw::test
