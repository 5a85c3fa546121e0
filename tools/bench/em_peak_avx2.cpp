// Peak of fused multiply-adds: AVX2 and FMA.
#include <immintrin.h>

#include "bench/em_peak_loop.h"

namespace pqw::bench {
namespace {

struct Avx2 {
  using Vector = __m256;
  static constexpr std::size_t kLanes = 8;
  static Vector set(float v) { return _mm256_set1_ps(v); }
  static Vector multiply_add(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static float sum(Vector v) {
    float lanes[kLanes];
    _mm256_storeu_ps(lanes, v);
    float total = 0;
    for (const float lane : lanes) total += lane;
    return total;
  }
};

}  // namespace

double multiply_add_avx2(std::size_t n_steps, volatile float* sink) {
  return multiply_add_loop<Avx2>(n_steps, sink);
}

}  // namespace pqw::bench
