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

  template <bool kLow>
  __m512i look_up(const std::int8_t* plane) const {
    const __m512i low = _mm512_permutex2var_epi8(_mm512_loadu_si512(plane), indices,
                                                 _mm512_loadu_si512(plane + 64));
    if constexpr (kLow) return low;
    const __m512i above = _mm512_permutex2var_epi8(_mm512_loadu_si512(plane + 128), indices,
                                                   _mm512_loadu_si512(plane + 192));
    return _mm512_mask_mov_epi8(low, high, above);
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

template <bool kLow>
void decode(const Int8DecodeOperands& operands, std::int8_t* panels, std::size_t panel_stride) {
  const std::size_t d = operands.block_size;
  std::size_t p = 0, j = 0;
  Codes codes(operands.codes);
  for (std::size_t c = 0; c < operands.n_columns; c += kPanelColumns) {
    __m512i columns[kPanelColumns];
#pragma GCC unroll 4
    for (std::size_t i = 0; i < kPanelColumns; ++i, ++j) {
      if (j == d) {
        j = 0;
        codes = Codes(operands.codes + ++p * kTileRows);
      }
      columns[i] = codes.look_up<kLow>(operands.planes[p] + j * 256);
    }
    interleave(columns, panels + c * kPanelRows, panel_stride);
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
