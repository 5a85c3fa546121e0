// The loops of contraction.h, for the compiler to vectorise: each file that includes them has the
// flags of its instruction set. They call no function of another file: the linker could replace it
// by a copy with instructions that the processor does not have.
#pragma once

#include <cstdint>
#include <cstring>

#include "kernels/contraction.h"

namespace pqw::kernels {
namespace {

// kRows rows of c and up to kWide columns at a time: the sums stay in registers.
constexpr std::size_t kRows = 4;
#ifdef __aarch64__
constexpr std::size_t kWide = 16;  // 16 sums of 32 registers
#else
constexpr std::size_t kWide = 32;
#endif

template <std::size_t n_rows, std::size_t n_columns>
void contraction_tile(const float* a, std::size_t a_stride, std::size_t n_k, const float* b,
                      std::size_t n_t, float* c) {
  float sums[n_rows][n_columns] = {};
  for (std::size_t k = 0; k < n_k; ++k) {
    for (std::size_t m = 0; m < n_rows; ++m) {
      const float factor = a[m * a_stride + k];
#pragma omp simd
      for (std::size_t t = 0; t < n_columns; ++t) sums[m][t] += factor * b[k * n_t + t];
    }
  }
  for (std::size_t m = 0; m < n_rows; ++m) {
    for (std::size_t t = 0; t < n_columns; ++t) c[m * n_t + t] = sums[m][t];
  }
}

template <std::size_t n_rows>
void contraction_rows(const float* a, std::size_t a_stride, std::size_t n_k, const float* b,
                      std::size_t n_t, float* c) {
  std::size_t t = 0;
  for (; t + kWide <= n_t; t += kWide) {
    contraction_tile<n_rows, kWide>(a, a_stride, n_k, b + t, n_t, c + t);
  }
  for (; t + 8 <= n_t; t += 8) contraction_tile<n_rows, 8>(a, a_stride, n_k, b + t, n_t, c + t);
  for (; t < n_t; ++t) contraction_tile<n_rows, 1>(a, a_stride, n_k, b + t, n_t, c + t);
}

float contraction_dot(const float* a, const float* b, std::size_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::size_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

// c[m] = Σ_k a[m][k] b[k] of four rows, whose sums hide each other's latency.
void contraction_four_dots(const float* const (&a)[4], const float* b, std::size_t n,
                           float (&c)[4]) {
  constexpr std::size_t kLanes = 16;
  float lanes[4][kLanes] = {};
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (std::size_t m = 0; m < 4; ++m) {
#pragma omp simd
      for (std::size_t l = 0; l < kLanes; ++l) lanes[m][l] += a[m][i + l] * b[i + l];
    }
  }
  for (; i < n; ++i) {
    for (std::size_t m = 0; m < 4; ++m) lanes[m][0] += a[m][i] * b[i];
  }
  for (std::size_t m = 0; m < 4; ++m) {
    c[m] = 0;
    for (std::size_t l = 0; l < kLanes; ++l) c[m] += lanes[m][l];
  }
}

// Where fewer than four rows are left, the last one stands for the missing ones: a row has the same
// bits wherever it is.
void contraction_dots(const float* a, std::size_t a_stride, std::size_t n_m, std::size_t n_k,
                      const float* b, float* c) {
  for (std::size_t m = 0; m < n_m; m += 4) {
    const float* rows[4];
    for (std::size_t i = 0; i < 4; ++i) rows[i] = a + (m + i < n_m ? m + i : n_m - 1) * a_stride;
    float sums[4];
    contraction_four_dots(rows, b, n_k, sums);
    for (std::size_t i = 0; i < 4 && m + i < n_m; ++i) c[m + i] = sums[i];
  }
}

void contraction_product(const float* a, std::size_t a_stride, std::size_t n_m, std::size_t n_k,
                         const float* b, std::size_t n_t, float* c) {
  if (n_t == 1) return contraction_dots(a, a_stride, n_m, n_k, b, c);
  std::size_t m = 0;
  for (; m + kRows <= n_m; m += kRows) {
    contraction_rows<kRows>(a + m * a_stride, a_stride, n_k, b, n_t, c + m * n_t);
  }
  for (; m < n_m; ++m) {
    contraction_rows<1>(a + m * a_stride, a_stride, n_k, b, n_t, c + m * n_t);
  }
}

void contraction_multiply(const float* a, const float* b, std::size_t n, float* to) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) to[i] = a[i] * b[i];
}

void contraction_add_product(const float* a, const float* b, std::size_t n, float* sums) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) sums[i] += a[i] * b[i];
}

void contraction_add_scaled(const float* a, float scale, std::size_t n, float* sums) {
#pragma omp simd
  for (std::size_t i = 0; i < n; ++i) sums[i] += scale * a[i];
}

bool contraction_all_finite(const float* values, std::size_t n) {
  constexpr std::uint32_t kExponent = 0x7f800000, kLastBit = 0x00800000;
  std::uint32_t carries = 0;  // into the sign if all bits of the exponent are set
  for (std::size_t i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, values + i, sizeof(bits));
    carries |= (bits & kExponent) + kLastBit;
  }
  return carries >> 31 == 0;
}

constexpr ContractionKernels kContraction{.product = contraction_product,
                                          .dot = contraction_dot,
                                          .multiply = contraction_multiply,
                                          .add_product = contraction_add_product,
                                          .add_scaled = contraction_add_scaled,
                                          .all_finite = contraction_all_finite};

}  // namespace
}  // namespace pqw::kernels
