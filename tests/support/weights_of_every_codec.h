// Weights of every codec, and what served products are held against.
#pragma once

#include <omp.h>

#include <cstring>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"
#include "tests/support/random_int8_weight.h"
#include "tests/support/random_pq_weight.h"
#include "tests/support/random_tcq_weight.h"
#include "tests/support/random_tensorized_weight.h"
#include "tests/support/reference.h"

namespace pqw::test {

struct NamedWeight {
  std::string name;
  Weight weight;
};

inline PlainWeight plain_weight(Shape shape, std::vector<float> values) {
  PlainWeight weight{{std::move(shape), DType::kF32}, {}};
  weight.bytes.resize(values.size() * sizeof(float));
  if (!values.empty()) std::memcpy(weight.bytes.data(), values.data(), weight.bytes.size());
  return weight;
}

// A weight of that shape in each codec, and in each way that a codec may be laid out.
inline std::vector<NamedWeight> weights_of_every_codec(const Shape& shape) {
  const auto [rows, cols] = matrix_shape(shape);
  const Shape out{(rows + 1) / 2, 2}, in{2, (cols + 1) / 2};
  return {
      {"plain", plain_weight(shape, normal_values(element_count(shape), 1))},
      {"pq, 256 centroids of 8", random_pq_weight(shape, 8, 256)},
      {"pq, 16 centroids of 4", random_pq_weight(shape, 4, 16)},
      {"pq, 9 centroids of 3 in 2 groups", random_pq_weight(shape, 3, 9, 2)},
      {"pq, 300 centroids of 5", random_pq_weight(shape, 5, 300)},
      {"pq, 256 centroids of 4 and row scales", with_row_scales(random_pq_weight(shape, 4, 256))},
      {"pq, 2 x 16 additive centroids of 4", random_pq_weight(shape, 4, 16, 1, 2)},
      {"int8, affine rows", random_int8_weight(shape, true)},
      {"int8, one symmetric scale", random_int8_weight(shape, false, false)},
      {"tcq, one step", random_tcq_weight(shape, false, false)},
      {"tcq, steps of rows, means and wide integers", random_tcq_weight(shape, true, true, 20)},
      {"tensorized, cp", random_tensorized_weight(shape, {TensorForm::kCp, out, in, 1, {7}})},
      {"tensorized, tucker, one of two layers",
       random_tensorized_weight(shape, {TensorForm::kTucker, out, in, 2, {2, 3, 2, 2, 4}}, 1)},
      {"tensorized, tt", random_tensorized_weight(shape, {TensorForm::kTt, out, in, 1, {3, 5, 2}})},
      {"tensorized, ttm", random_tensorized_weight(shape, {TensorForm::kTtm, out, in, 1, {40}})}};
}

struct NamedPrecision {
  const char* name;
  Precision precision;
  double bound;  // of relative_error, as documented (codecs/product.h)
};

inline constexpr NamedPrecision kPrecisions[] = {{"exact", Precision::kExact, 2e-6},
                                                 {"high", Precision::kHigh, 1e-4},
                                                 {"fast", Precision::kFast, 1.5e-2}};

// Calls `run` with 1 thread and with 3, and returns whether `y` came out the same to the bit.
template <class Run>
bool same_on_any_threads(const Run& run, const std::vector<float>& y) {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  run();
  const std::vector<float> alone = y;
  omp_set_num_threads(3);
  run();
  omp_set_num_threads(before);
  return y == alone;
}

}  // namespace pqw::test
