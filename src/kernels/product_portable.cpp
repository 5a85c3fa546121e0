// Multiplying from codes with floats, on any processor.
#include "kernels/product_loops.h"

namespace pqw::kernels {
namespace {

template <std::size_t kCount>
struct Floats {
  static constexpr std::size_t kLanes = kCount;
  static constexpr std::size_t kDecodeRows = 4;
  static constexpr std::size_t kDecodeVectors = 2;

  float raw[kCount];

  static Floats set(float value) {
    Floats result;
    for (float& lane : result.raw) lane = value;
    return result;
  }
  static Floats load(const float* from) {
    Floats result;
    for (std::size_t i = 0; i < kCount; ++i) result.raw[i] = from[i];
    return result;
  }
  void store(float* to) const {
    for (std::size_t i = 0; i < kCount; ++i) to[i] = raw[i];
  }
  static Floats add(Floats a, Floats b) {
    for (std::size_t i = 0; i < kCount; ++i) a.raw[i] += b.raw[i];
    return a;
  }
  static Floats add_product(Floats sum, Floats a, Floats b) {
    for (std::size_t i = 0; i < kCount; ++i) sum.raw[i] += a.raw[i] * b.raw[i];
    return sum;
  }
};

static_assert(ProductFloats<Floats<1>> && DecodeFloats<Floats<4>>);

}  // namespace

const ProductKernels product_portable = {.lanes = Floats<4>::kLanes,
                                         .most_vectors = Floats<4>::kDecodeVectors,
                                         .build = build_tables<Floats<4>>,
                                         .build_row = build_table_of_row<Floats<4>, Floats<1>>,
                                         .sweep = sweep_tables<Floats<4>>,
                                         .sweep_row = sweep_tables<Floats<1>>,
                                         .multiply_decoded = multiply_decoded<Floats<4>>,
                                         .multiply_decoded_bfloat16 = nullptr,
                                         .cycles = {.build_per_vector = 1.2f,
                                                    .sweep_per_code = 1.6f,
                                                    .sweep_row_per_code = 1.0f,
                                                    .decoded_per_vector = 1.4f,
                                                    .bfloat16_per_vector = 0}};

}  // namespace pqw::kernels
