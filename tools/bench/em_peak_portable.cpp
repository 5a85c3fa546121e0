// Peak of multiply-adds as the compiler's baseline has them, in vectors of 16 bytes.
#include "bench/em_peak_loop.h"

namespace pqw::bench {
namespace {

struct Portable {
  using Vector __attribute__((vector_size(16))) = float;
  static constexpr std::size_t kLanes = 4;
  static Vector set(float v) { return Vector{v, v, v, v}; }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return a * b + c; }
  static float sum(Vector v) { return v[0] + v[1] + v[2] + v[3]; }
};

}  // namespace

double multiply_add_portable(std::size_t n_steps, volatile float* sink) {
  return multiply_add_loop<Portable>(n_steps, sink);
}

}  // namespace pqw::bench
