// Peak of fused multiply-adds: AVX-512.
#include <immintrin.h>

#include "bench/em_peak_loop.h"

namespace pqw::bench {
namespace {

struct Avx512 {
  using Vector = __m512;
  static constexpr std::size_t kLanes = 16;
  static Vector set(float v) { return _mm512_set1_ps(v); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static float sum(Vector v) {
    float lanes[kLanes];
    _mm512_storeu_ps(lanes, v);
    float total = 0;
    for (const float lane : lanes) total += lane;
    return total;
  }
};

}  // namespace

double multiply_add_avx512(std::size_t n_steps, volatile float* sink) {
  return multiply_add_loop<Avx512>(n_steps, sink);
}

}  // namespace pqw::bench
