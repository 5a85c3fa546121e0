// Multiplying from codes with floats, with AVX2 and FMA.
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
  static constexpr std::size_t kLanes = 8;
  static constexpr std::size_t kDecodeRows = 4;
  static constexpr std::size_t kDecodeVectors = 2;

  __m256 raw;

  static Floats set(float value) { return {_mm256_set1_ps(value)}; }
  static Floats load(const float* from) { return {_mm256_loadu_ps(from)}; }
  void store(float* to) const { _mm256_storeu_ps(to, raw); }
  static Floats add(Floats a, Floats b) { return {_mm256_add_ps(a.raw, b.raw)}; }
  static Floats add_product(Floats sum, Floats a, Floats b) {
    return {_mm256_fmadd_ps(a.raw, b.raw, sum.raw)};
  }
};

static_assert(ProductFloats<Lane> && DecodeFloats<Floats>);

}  // namespace

const ProductKernels product_avx2 = {.lanes = Floats::kLanes,
                                     .most_vectors = Floats::kDecodeVectors,
                                     .build = build_tables<Floats>,
                                     .build_row = build_table_of_row<Floats, Lane>,
                                     .sweep = sweep_tables<Floats>,
                                     .sweep_row = sweep_tables<Lane>,
                                     .multiply_decoded = multiply_decoded<Floats>,
                                     .multiply_decoded_bfloat16 = nullptr,
                                     .cycles = {.build_per_vector = 0.7f,
                                                .sweep_per_code = 1.7f,
                                                .sweep_row_per_code = 1.0f,
                                                .decoded_per_vector = 0.8f,
                                                .bfloat16_per_vector = 0}};

}  // namespace pqw::kernels
