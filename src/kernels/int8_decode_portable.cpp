// Bytes in the place of codes, a few bytes of a centroid at a time.
#include <cstring>

#include "kernels/int8_decode.h"
#include "kernels/int8_product.h"
#include "kernels/lookup.h"

namespace pqw::kernels {
namespace {

// REQUIRES: kBytes divides the block size and the columns of a panel.
template <std::size_t kBytes, class Code>
void decode(const Code* codes, const Int8DecodeOperands& operands, std::int8_t* panels,
            std::size_t panel_stride) {
  const std::size_t d = operands.block_size;
  for (std::size_t p = 0; p * d < operands.n_columns; ++p, codes += kTileRows) {
    for (std::size_t j = 0; j < d; j += kBytes) {
      const std::int8_t* from = operands.centroids[p] + j;
      const std::size_t c = p * d + j;
      std::int8_t* to = panels + c / kPanelColumns * kPanelColumns * kPanelRows + c % kPanelColumns;
      for (std::size_t r = 0; r < kTileRows; r += kPanelRows, to += panel_stride) {
#pragma GCC unroll 16
        for (std::size_t i = 0; i < kPanelRows; ++i) {
          std::memcpy(to + i * kPanelColumns, from + codes[r + i] * d, kBytes);
        }
      }
    }
  }
}

template <class Code>
void decode_codes(const Code* codes, const Int8DecodeOperands& operands, std::int8_t* panels,
                  std::size_t panel_stride) {
  if (operands.block_size % 4 == 0) {
    decode<4>(codes, operands, panels, panel_stride);
  } else if (operands.block_size % 2 == 0) {
    decode<2>(codes, operands, panels, panel_stride);
  } else {
    decode<1>(codes, operands, panels, panel_stride);
  }
}

}  // namespace

void int8_decode_portable(const Int8DecodeOperands& operands, std::int8_t* panels,
                          std::size_t panel_stride) {
  decode_codes(operands.codes, operands, panels, panel_stride);
}

void int8_decode_words(const std::uint16_t* codes, const Int8DecodeOperands& operands,
                       std::int8_t* panels, std::size_t panel_stride) {
  decode_codes(codes, operands, panels, panel_stride);
}

}  // namespace pqw::kernels
