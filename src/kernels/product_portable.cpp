// Multiplying from codes with floats, portable.
#include "kernels/product_loops.h"

namespace pqw::kernels {
namespace {

template <std::size_t kCount>
struct Floats {
  static constexpr std::size_t kLanes = kCount;
  static constexpr std::size_t kDirectRows = 4;
  static constexpr std::size_t kDirectVectors = 2;

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

}  // namespace

const ProductKernels product_portable = product_kernels<Floats<4>, Floats<1>>();

}  // namespace pqw::kernels
