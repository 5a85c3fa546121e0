// Bytes in the place of codes with AVX-512 VBMI: a plane of 256 bytes is four vectors, in which
// vpermt2b looks up 64 codes.
#include <immintrin.h>

#include "kernels/int8_decode.h"
#include "kernels/int8_product.h"
#include "kernels/lookup.h"

namespace pqw::kernels {
namespace {

static_assert(kTileRows == 64 && kPanelRows == 16 && kPanelColumns == 4);

// 64 codes in the order in which `interleave` leaves them as rows 0 .. 63.
struct Codes {
  __m512i indices;
  __mmask64 high;  // those of 128 and above

  explicit Codes(const std::uint8_t* codes) {
    // Dwords of a 4 x 4 matrix, transposed.
    const __m512i order = _mm512_set_epi32(15, 11, 7, 3, 14, 10, 6, 2, 13, 9, 5, 1, 12, 8, 4, 0);
    indices = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(codes));
    high = _mm512_movepi8_mask(indices);
  }
};

struct Plane {
  __m512i quarters[4];

  explicit Plane(const std::int8_t* bytes) {
#pragma GCC unroll 4
    for (std::size_t i = 0; i < 4; ++i) quarters[i] = _mm512_loadu_si512(bytes + 64 * i);
  }

  template <bool kLow>
  __m512i look_up(const Codes& codes) const {
    const __m512i low = _mm512_permutex2var_epi8(quarters[0], codes.indices, quarters[1]);
    if constexpr (kLow) return low;
    const __m512i above = _mm512_permutex2var_epi8(quarters[2], codes.indices, quarters[3]);
    return _mm512_mask_mov_epi8(low, codes.high, above);
  }
};

// Four columns of 64 rows to four lines of a panel.
void interleave(const __m512i (&columns)[kPanelColumns], std::int8_t* panels,
                std::size_t panel_stride) {
  const __m512i even_low = _mm512_unpacklo_epi8(columns[0], columns[1]);
  const __m512i even_high = _mm512_unpackhi_epi8(columns[0], columns[1]);
  const __m512i odd_low = _mm512_unpacklo_epi8(columns[2], columns[3]);
  const __m512i odd_high = _mm512_unpackhi_epi8(columns[2], columns[3]);
  _mm512_storeu_si512(panels, _mm512_unpacklo_epi16(even_low, odd_low));
  _mm512_storeu_si512(panels + panel_stride, _mm512_unpackhi_epi16(even_low, odd_low));
  _mm512_storeu_si512(panels + 2 * panel_stride, _mm512_unpacklo_epi16(even_high, odd_high));
  _mm512_storeu_si512(panels + 3 * panel_stride, _mm512_unpackhi_epi16(even_high, odd_high));
}

// n positions of whole quads of columns, which have the same planes: these stay in registers.
template <bool kLow>
void decode_alike(const std::uint8_t* codes, std::size_t n, const std::int8_t* planes,
                  std::size_t block_size, std::int8_t* panels, std::size_t panel_stride) {
  for (std::size_t j = 0; j < block_size; j += kPanelColumns) {
    const std::int8_t* of_quad = planes + j * kWideCentroids;
    const Plane quad[kPanelColumns] = {Plane(of_quad), Plane(of_quad + kWideCentroids),
                                       Plane(of_quad + 2 * kWideCentroids),
                                       Plane(of_quad + 3 * kWideCentroids)};
    for (std::size_t p = 0; p < n; ++p) {
      const Codes of_position(codes + p * kTileRows);
      __m512i columns[kPanelColumns];
#pragma GCC unroll 4
      for (std::size_t i = 0; i < kPanelColumns; ++i) {
        columns[i] = quad[i].look_up<kLow>(of_position);
      }
      interleave(columns, panels + (p * block_size + j) * kPanelRows, panel_stride);
    }
  }
}

// Columns a quad at a time, whatever the block size.
template <bool kLow>
void decode_quads(const Int8DecodeOperands& operands, std::int8_t* panels,
                  std::size_t panel_stride) {
  std::size_t p = 0, j = 0;
  Codes codes(operands.codes);
  for (std::size_t c = 0; c < operands.n_columns; c += kPanelColumns) {
    __m512i columns[kPanelColumns];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPanelColumns; ++i, ++j) {
      if (j == operands.block_size) {
        j = 0;
        codes = Codes(operands.codes + ++p * kTileRows);
      }
      columns[i] = Plane(operands.planes[p] + j * kWideCentroids).look_up<kLow>(codes);
    }
    interleave(columns, panels + c * kPanelRows, panel_stride);
  }
}

template <bool kLow>
void decode(const Int8DecodeOperands& operands, std::int8_t* panels, std::size_t panel_stride) {
  const std::size_t d = operands.block_size;
  if (d % kPanelColumns != 0) return decode_quads<kLow>(operands, panels, panel_stride);
  const std::size_t n_positions = operands.n_columns / d;
  for (std::size_t p = 0, n; p < n_positions; p += n) {
    for (n = 1; p + n < n_positions && operands.planes[p + n] == operands.planes[p];) ++n;
    decode_alike<kLow>(operands.codes + p * kTileRows, n, operands.planes[p], d,
                       panels + p * d * kPanelRows, panel_stride);
  }
}

}  // namespace

void int8_decode_avx512vbmi(const Int8DecodeOperands& operands, std::int8_t* panels,
                            std::size_t panel_stride) {
  if (operands.low_codes) {
    decode<true>(operands, panels, panel_stride);
  } else {
    decode<false>(operands, panels, panel_stride);
  }
}

}  // namespace pqw::kernels
