// Products of bytes with NEON, for each instruction that adds products of unsigned bytes.
//
// Σ x w = Σ x (w + 128) - 128 Σ x, and w + 128 is w with another top bit. Sums are computed modulo
// 2^32.
#pragma once

#include <arm_neon.h>

#include <concepts>
#include <cstring>

#include "kernels/int8_product.h"

namespace pqw::kernels {
namespace {

constexpr std::size_t kQuarters = 4;  // of a panel: four columns of four rows fill a vector

// What an instruction set supplies.
template <class I>
concept ByteProducts = requires(typename I::Sum sum, uint8x16_t bytes) {
  { I::kX } -> std::convertible_to<std::size_t>;        // rows of x whose sums fit registers
  { I::add(sum, bytes, bytes) } -> std::same_as<void>;  // products of 4 columns of 4 rows
  { I::total(sum) } -> std::same_as<uint32x4_t>;        // of the 4 rows
};

inline uint8x16_t four_columns(const std::uint8_t* x) {
  std::uint32_t bytes;
  std::memcpy(&bytes, x, sizeof(bytes));
  return vreinterpretq_u8_u32(vdupq_n_u32(bytes));
}

// A panel with kX rows of x, without the term -128 Σ x.
template <ByteProducts I, std::size_t kX>
void tile(const Int8Operands& operands, const std::uint8_t* x, const std::int8_t* w,
          std::int32_t* sums) {
  typename I::Sum total[kX][kQuarters] = {};
  for (std::size_t c = 0; c < operands.n_columns; c += kPanelColumns) {
    uint8x16_t weights[kQuarters];
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuarters; ++q) {
      const int8x16_t bytes = vld1q_s8(w + c * kPanelRows + q * kPanelRows);
      weights[q] = veorq_u8(vreinterpretq_u8_s8(bytes), vdupq_n_u8(128));
    }
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kX; ++i) {
      const uint8x16_t values = four_columns(x + i * operands.x_stride + c);
#pragma GCC unroll 4
      for (std::size_t q = 0; q < kQuarters; ++q) I::add(total[i][q], values, weights[q]);
    }
  }
#pragma GCC unroll 4
  for (std::size_t i = 0; i < kX; ++i) {
#pragma GCC unroll 4
    for (std::size_t q = 0; q < kQuarters; ++q) {
      std::int32_t* to = sums + i * operands.n_panels * kPanelRows + q * kQuarters;
      vst1q_s32(to, vaddq_s32(vld1q_s32(to), vreinterpretq_s32_u32(I::total(total[i][q]))));
    }
  }
}

// sums[r] -= 128 Σ x for all rows r.
inline void subtract_inputs(const std::uint8_t* x, std::size_t n_columns, std::size_t n_rows,
                            std::int32_t* sums) {
  std::uint32_t sum = 0;
  for (std::size_t c = 0; c < n_columns; ++c) sum += x[c];
  const int32x4_t term = vreinterpretq_s32_u32(vdupq_n_u32(sum << 7));
  for (std::size_t r = 0; r < n_rows; r += 4) {
    vst1q_s32(sums + r, vsubq_s32(vld1q_s32(sums + r), term));
  }
}

template <ByteProducts I>
void int8_product(const Int8Operands& operands, std::int32_t* sums) {
  const std::size_t row = operands.n_panels * kPanelRows;
  for (std::size_t i = 0; i < operands.n_x; ++i) {
    subtract_inputs(operands.x + i * operands.x_stride, operands.n_columns, row, sums + i * row);
  }
  for (std::size_t p = 0; p < operands.n_panels; ++p) {
    const std::int8_t* w = operands.panels + p * operands.panel_stride;
    std::int32_t* to = sums + p * kPanelRows;
    std::size_t i = 0;
    for (; i + I::kX <= operands.n_x; i += I::kX) {
      tile<I, I::kX>(operands, operands.x + i * operands.x_stride, w, to + i * row);
    }
    for (; i < operands.n_x; ++i) {
      tile<I, 1>(operands, operands.x + i * operands.x_stride, w, to + i * row);
    }
  }
}

}  // namespace
}  // namespace pqw::kernels
