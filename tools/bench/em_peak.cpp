// Measures the peak of the processor: fused multiply-adds of floats in registers.
#include "bench/em.h"

namespace pqw::bench {
namespace {

constexpr std::size_t kChains = 12;  // latency 4 on two ports needs 8 or more

using Vector4 __attribute__((vector_size(16))) = float;
using Vector8 __attribute__((vector_size(32))) = float;
using Vector16 __attribute__((vector_size(64))) = float;

// Inlined into functions that may use the instructions of these vectors.
template <class Vector>
[[gnu::always_inline]] inline double multiply_add(std::size_t n_steps, volatile float* sink) {
  constexpr std::size_t kLanes = sizeof(Vector) / sizeof(float);
  // Not known to the compiler; x -> 0.5 x + 1 stays in the normal range.
  volatile float factor_value = 0.5F;
  volatile float addend_value = 1.0F;
  const Vector factor = Vector{} + factor_value, addend = Vector{} + addend_value;
  Vector chains[kChains];
  for (std::size_t c = 0; c < kChains; ++c) chains[c] = Vector{} + static_cast<float>(c);
  for (std::size_t i = 0; i < n_steps; ++i) {
#pragma GCC unroll 12
    for (std::size_t c = 0; c < kChains; ++c) chains[c] = chains[c] * factor + addend;
  }
  float total = 0;
#pragma GCC unroll 12
  for (std::size_t c = 0; c < kChains; ++c) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) total += chains[c][lane];
  }
  *sink = total;
  return static_cast<double>(n_steps * kChains * kLanes);
}

double portable(std::size_t n_steps, volatile float* sink) {
  return multiply_add<Vector4>(n_steps, sink);
}

#ifdef PQW_BENCH_X86
[[gnu::target("avx2,fma")]] double avx2(std::size_t n_steps, volatile float* sink) {
  return multiply_add<Vector8>(n_steps, sink);
}

[[gnu::target("avx512f")]] double avx512(std::size_t n_steps, volatile float* sink) {
  return multiply_add<Vector16>(n_steps, sink);
}
#endif

}  // namespace

Peak best_peak() {
#ifdef PQW_BENCH_X86
  if (__builtin_cpu_supports("avx512f")) return {"avx512f", avx512};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return {"avx2+fma", avx2};
#endif
  return {"portable", portable};
}

}  // namespace pqw::bench
