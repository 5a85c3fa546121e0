// Products of bytes with AVX-512 VNNI: vpdpbusd adds four of them to each of sixteen sums, without
// saturation.
#include <immintrin.h>

#include <cstring>

#include "kernels/int8_product.h"

namespace pqw::kernels {
namespace {

__m512i four_columns(const std::uint8_t* x) {
  std::int32_t bytes;
  std::memcpy(&bytes, x, sizeof(bytes));
  return _mm512_set1_epi32(bytes);
}

// kPanels panels from the first one at `w` with kX rows of x. The sums of kPanels * kX vectors stay
// in registers; kChains such sets take turns, to hide the latency of adding where they are few.
template <std::size_t kX, std::size_t kPanels, std::size_t kChains>
void tile(const Int8Operands& operands, const std::uint8_t* x, const std::int8_t* w,
          std::int32_t* sums) {
  __m512i total[kChains][kX][kPanels];
#pragma GCC unroll 2
  for (std::size_t h = 0; h < kChains; ++h) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 8
      for (std::size_t p = 0; p < kPanels; ++p) total[h][i][p] = _mm512_setzero_si512();
    }
  }
  const std::size_t panel_stride = operands.panel_stride;
  const std::size_t x_stride = operands.x_stride;
  const auto add_columns = [&](std::size_t c, std::size_t h) __attribute__((always_inline)) {
    __m512i weights[kPanels];
#pragma GCC unroll 8
    for (std::size_t p = 0; p < kPanels; ++p) {
      weights[p] = _mm512_loadu_si512(w + p * panel_stride + c * kPanelRows);
    }
#pragma GCC unroll 8
    for (std::size_t i = 0; i < kX; ++i) {
      const __m512i values = four_columns(x + i * x_stride + c);
#pragma GCC unroll 8
      for (std::size_t p = 0; p < kPanels; ++p) {
        total[h][i][p] = _mm512_dpbusd_epi32(total[h][i][p], values, weights[p]);
      }
    }
  };
  std::size_t c = 0;
  for (; c + kChains * kPanelColumns <= operands.n_columns; c += kChains * kPanelColumns) {
#pragma GCC unroll 2
    for (std::size_t h = 0; h < kChains; ++h) add_columns(c + h * kPanelColumns, h);
  }
  for (; c < operands.n_columns; c += kPanelColumns) add_columns(c, 0);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 8
    for (std::size_t p = 0; p < kPanels; ++p) {
      std::int32_t* to = sums + (i * operands.n_panels + p) * kPanelRows;
      __m512i sum = _mm512_loadu_si512(to);
#pragma GCC unroll 2
      for (std::size_t h = 0; h < kChains; ++h) sum = _mm512_add_epi32(sum, total[h][i][p]);
      _mm512_storeu_si512(to, sum);
    }
  }
}

// All rows of x.
template <std::size_t kPanels>
void tiles(const Int8Operands& operands, const std::int8_t* w, std::int32_t* sums) {
  const std::uint8_t* x = operands.x;
  const std::size_t row = operands.n_panels * kPanelRows;
  std::size_t n = operands.n_x;
  for (; n >= 6; n -= 6, x += 6 * operands.x_stride, sums += 6 * row) {
    tile<6, kPanels, 1>(operands, x, w, sums);
  }
  if (n >= 4) {
    tile<4, kPanels, 1>(operands, x, w, sums);
    n -= 4;
    x += 4 * operands.x_stride;
    sums += 4 * row;
  }
  for (; n >= 3; n -= 3, x += 3 * operands.x_stride, sums += 3 * row) {
    tile<3, kPanels, 2>(operands, x, w, sums);
  }
  for (; n >= 1; --n, x += operands.x_stride, sums += row) {
    tile<1, kPanels, 2>(operands, x, w, sums);
  }
}

}  // namespace

void int8_product_vnni(const Int8Operands& operands, std::int32_t* sums) {
  std::size_t p = 0;
  for (; p + 4 <= operands.n_panels; p += 4) {
    tiles<4>(operands, operands.panels + p * operands.panel_stride, sums + p * kPanelRows);
  }
  for (; p < operands.n_panels; ++p) {
    tiles<1>(operands, operands.panels + p * operands.panel_stride, sums + p * kPanelRows);
  }
}

}  // namespace pqw::kernels
