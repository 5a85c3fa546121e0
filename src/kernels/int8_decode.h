// Bytes in the place of codes: makes panels (int8_product.h) of a tile of 64 rows.
#pragma once

#include <cstddef>
#include <cstdint>

namespace pqw::kernels {

struct Int8DecodeOperands {
  const std::uint8_t* codes;  // [positions][64]
  std::size_t n_columns;      // a multiple of kPanelColumns and of block_size
  std::size_t block_size;
  // The codebook of each position in two layouts: int8[256][block_size] and int8[block_size][256].
  const std::int8_t* const* centroids;
  const std::int8_t* const* planes;
  bool low_codes;  // all codes are below 128
};

// panels[4], panel_stride apart: byte j of the centroid of row r and position p becomes column
// p * block_size + j of row r. int8_decode_portable is the specification.
using Int8DecodeFunction = void(const Int8DecodeOperands& operands, std::int8_t* panels,
                                std::size_t panel_stride);

// As Int8DecodeFunction, for codes of two bytes, uint16[positions][64]: `codes`, `planes` and `low_codes` of the
// operands are not used, and centroids are int8[any][block_size].
void int8_decode_words(const std::uint16_t* codes, const Int8DecodeOperands& operands,
                       std::int8_t* panels, std::size_t panel_stride);

Int8DecodeFunction int8_decode_portable;
Int8DecodeFunction int8_decode_avx512vbmi;  // AVX-512 BW and VBMI

}  // namespace pqw::kernels
