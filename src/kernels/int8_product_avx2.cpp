// Products of bytes with AVX2. vpmaddubsw would saturate (2 * 255 * 128 > 32767), so bytes are
// widened to 16 bits, whose products vpmaddwd adds in 32.
#include <immintrin.h>

#include <cstring>

#include "kernels/int8_product.h"

namespace pqw::kernels {
namespace {

constexpr std::size_t kQuarters = 4;  // of a panel: four columns of four rows fill a vector

__m256i four_columns(const std::uint8_t* x) {
  std::int32_t bytes;
  std::memcpy(&bytes, x, sizeof(bytes));
  return _mm256_cvtepu8_epi16(_mm_set1_epi32(bytes));
}

__m256i four_rows(const std::int8_t* w) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(w)));
}

// A panel with kX rows of x. A row of the panel has two sums in a vector, side by side.
template <std::size_t kX>
void tile(const Int8Operands& operands, const std::uint8_t* x, const std::int8_t* w,
          std::int32_t* sums) {
  __m256i total[kX][kQuarters];
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuarters; ++q) total[i][q] = _mm256_setzero_si256();
  }
  for (std::size_t c = 0; c < operands.n_columns; c += kPanelColumns) {
    __m256i values[kX];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kX; ++i) values[i] = four_columns(x + i * operands.x_stride + c);
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuarters; ++q) {
      const __m256i weights = four_rows(w + c * kPanelRows + q * kPanelRows);
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kX; ++i) {
        total[i][q] = _mm256_add_epi32(total[i][q], _mm256_madd_epi16(values[i], weights));
      }
    }
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 2
    for (std::size_t q = 0; q < kQuarters; q += 2) {
      // Adding neighbours leaves the rows in the order 0 1 4 5 | 2 3 6 7.
      const __m256i pairs = _mm256_hadd_epi32(total[i][q], total[i][q + 1]);
      const __m256i rows = _mm256_permute4x64_epi64(pairs, _MM_SHUFFLE(3, 1, 2, 0));
      auto* to =
          reinterpret_cast<__m256i*>(sums + i * operands.n_panels * kPanelRows + q * kQuarters);
      _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), rows));
    }
  }
}

}  // namespace

void int8_product_avx2(const Int8Operands& operands, std::int32_t* sums) {
  const std::size_t row = operands.n_panels * kPanelRows;
  for (std::size_t p = 0; p < operands.n_panels; ++p) {
    const std::int8_t* w = operands.panels + p * operands.panel_stride;
    std::int32_t* to = sums + p * kPanelRows;
    std::size_t i = 0;
    for (; i + 2 <= operands.n_x; i += 2) {
      tile<2>(operands, operands.x + i * operands.x_stride, w, to + i * row);
    }
    for (; i < operands.n_x; ++i) {
      tile<1>(operands, operands.x + i * operands.x_stride, w, to + i * row);
    }
  }
}

}  // namespace pqw::kernels
