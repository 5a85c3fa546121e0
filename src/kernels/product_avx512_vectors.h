// Vectors of AVX-512 F for multiplying from codes with floats. Each product_avx512*.cpp compiles
// them for its own instructions.
#pragma once

#include <immintrin.h>

#include "kernels/product_loops.h"

namespace pqw::kernels {
namespace {

struct Lane {
  static constexpr std::size_t kLanes = 1;

  __m128 raw;

  static Lane set(float value) { return {_mm_set_ss(value)}; }
  static Lane load(const float* from) { return {_mm_load_ss(from)}; }
  void store(float* to) const { _mm_store_ss(to, raw); }
  static Lane add(Lane a, Lane b) { return {_mm_add_ss(a.raw, b.raw)}; }
  static Lane add_product(Lane sum, Lane a, Lane b) {
    return {_mm_fmadd_ss(a.raw, b.raw, sum.raw)};
  }
};

struct Floats {
  static constexpr std::size_t kLanes = 16;
  static constexpr std::size_t kDecodeRows = 8;
  static constexpr std::size_t kDecodeVectors = 3;

  __m512 raw;

  static Floats set(float value) { return {_mm512_set1_ps(value)}; }
  static Floats load(const float* from) { return {_mm512_loadu_ps(from)}; }
  void store(float* to) const { _mm512_storeu_ps(to, raw); }
  static Floats add(Floats a, Floats b) { return {_mm512_add_ps(a.raw, b.raw)}; }
  static Floats add_product(Floats sum, Floats a, Floats b) {
    return {_mm512_fmadd_ps(a.raw, b.raw, sum.raw)};
  }
};

static_assert(ProductFloats<Lane> && DecodeFloats<Floats>);

constexpr ProductKernels product_kernels = {.lanes = Floats::kLanes,
                                            .most_vectors = Floats::kDecodeVectors,
                                            .build = build_tables<Floats>,
                                            .build_row = build_table_of_row<Floats, Lane>,
                                            .sweep = sweep_tables<Floats>,
                                            .sweep_row = sweep_tables<Lane>,
                                            .multiply_decoded = multiply_decoded<Floats>,
                                            .multiply_decoded_bfloat16 = nullptr,
                                            .cycles = {.build_per_vector = 0.55f,
                                                       .sweep_per_code = 2.0f,
                                                       .sweep_row_per_code = 1.0f,
                                                       .decoded_per_vector = 0.52f,
                                                       .bfloat16_per_vector = 0}};

}  // namespace
}  // namespace pqw::kernels
