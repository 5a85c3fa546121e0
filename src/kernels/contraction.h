// Products of small matrices and of rows: the inner loops of tensorized weights.
#pragma once

#include <cstddef>

namespace pqw::kernels {

// An instruction set supplies compiler options alone: contraction_loops.h is compiled once under
// each of them.
struct ContractionKernels {
  // c[m][t] = Σ_k a[m * a_stride + k] b[k][t]; m < n_m, k < n_k, t < n_t. The sum runs over k in an
  // order that depends on n_k and n_t alone.
  void (*product)(const float* a, std::size_t a_stride, std::size_t n_m, std::size_t n_k,
                  const float* b, std::size_t n_t, float* c);

  // Σ_i a[i] b[i]
  float (*dot)(const float* a, const float* b, std::size_t n);

  // to[i] = a[i] b[i]; `to` may be a or b.
  void (*multiply)(const float* a, const float* b, std::size_t n, float* to);

  // sums[i] += a[i] b[i], and sums[i] += scale a[i].
  void (*add_product)(const float* a, const float* b, std::size_t n, float* sums);
  void (*add_scaled)(const float* a, float scale, std::size_t n, float* sums);

  // True if no value is infinite or NaN.
  bool (*all_finite)(const float* values, std::size_t n);
};

extern const ContractionKernels contraction_portable;
extern const ContractionKernels contraction_avx2;
extern const ContractionKernels contraction_avx512;
extern const ContractionKernels contraction_neon;

}  // namespace pqw::kernels
