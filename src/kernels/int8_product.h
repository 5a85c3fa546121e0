// Products of bytes summed in integers: the inner loop of multiplying with quantized weights.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

// Weights are laid out in panels of 16 rows, so that one vector holds four columns of all of them:
// int8[columns / 4][16][4], column c of row r at (c / 4 * 16 + r) * 4 + c % 4. Rows and columns
// that do not exist hold zeros.
inline constexpr std::size_t kPanelRows = 16;
inline constexpr std::size_t kPanelColumns = 4;

// Columns that may be added to a sum of 0 without overflow: 65536 * 255 * 128 < 2^31.
inline constexpr std::size_t kInt8Columns = 65536;

struct Int8Operands {
  const std::uint8_t* x;  // [n_x][n_columns], rows x_stride apart
  std::size_t n_x;
  std::size_t x_stride;
  const std::int8_t* panels;  // [n_panels], panel_stride apart
  std::size_t n_panels;
  std::size_t panel_stride;
  std::size_t n_columns;  // a multiple of kPanelColumns
};

// sums[i * n_panels * 16 + r] += Σ_c x[i][c] w[r][c], exactly, whatever the bytes; r counts the
// rows of all panels. REQUIRES: no sum has seen more than kInt8Columns columns.
using Int8ProductFunction = void(const Int8Operands& operands, std::int32_t* sums);

// An instruction set supplies this function as a whole: instructions for bytes differ too much for
// common loops. int8_product_portable is the specification.
Int8ProductFunction int8_product_portable;
Int8ProductFunction int8_product_avx2;
Int8ProductFunction int8_product_vnni;
Int8ProductFunction int8_product_neon;
Int8ProductFunction int8_product_neondot;

}  // namespace pqw::kernels
