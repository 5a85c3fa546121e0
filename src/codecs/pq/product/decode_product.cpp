// y = x Wᵀ from codes, every centroid in the place of its codes as the operand of a matrix product.
#include "codecs/pq/product/decode_product.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "codecs/float_range.h"
#include "codecs/product/panel.h"
#include "core/parallel.h"

namespace pqw {

using kernels::kTileRows;

namespace {

constexpr std::size_t kColumnsAtOnce = 512;  // about as many; their codes stay in the L1 cache

// To the nearest, ties to even. REQUIRES: finite.
std::uint32_t bfloat16_bits(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

float pair_of(float even, float odd) {
  return std::bit_cast<float>(bfloat16_bits(even) | bfloat16_bits(odd) << 16);
}

}  // namespace

bool DecodeProduct::holds_bfloat16(std::span<const float> values) {
  const float largest = largest_magnitude(values);  // above all bounds if a value is not finite
  return largest == 0 || (largest >= 0x1p-60f && largest <= 0x1p60f);
}

DecodeProduct::DecodeProduct(const PqWeight& weight, const CodeTiles& tiles,
                             const kernels::ProductKernels& kernels, Operand operand)
    : tiles_(tiles), kernels_(kernels), operand_(operand), block_size_(weight.block_size) {
  const std::size_t d = block_size_;
  if (operand == Operand::kFloat) {
    block_operands_ = d;
    n_operands_ = weight.cols();
    codebooks_ = weight.codebooks;
  } else {
    assert(kernels.multiply_decoded_bfloat16 != nullptr);
    block_operands_ = (d + 1) / 2;
    n_operands_ = weight.positions() * block_operands_;
    for (std::size_t begin = 0; begin < weight.codebooks.size(); begin += d) {
      for (std::size_t j = 0; j < d; j += 2) {
        codebooks_.push_back(
            pair_of(weight.codebooks[begin + j], j + 1 < d ? weight.codebooks[begin + j + 1] : 0));
      }
    }
  }
  for (const std::size_t group : group_of_positions(weight, tiles.n_padded_positions())) {
    centroids_.push_back(codebooks_.data() + group * weight.n_centroids * block_operands_);
  }
}

// panel[operand][lane]; lanes without a row are zero.
void DecodeProduct::fill_panel(ConstMatrix x, std::size_t first, std::size_t n_rows,
                               std::size_t n_lanes, float* panel) const {
  if (operand_ == Operand::kFloat) return transpose(x, first, n_rows, n_lanes, panel);
  std::fill_n(panel, n_operands_ * n_lanes, 0.0f);
  for (std::size_t lane = 0; lane < n_rows; ++lane) {
    const std::span<const float> row = x.row(first + lane);
    if (!holds_bfloat16(row)) continue;
    float* out = panel + lane;
    for (std::size_t begin = 0; begin < row.size(); begin += block_size_) {
      const std::size_t end = std::min(begin + block_size_, row.size());
      for (std::size_t c = begin; c < begin + block_size_; c += 2, out += n_lanes) {
        *out = pair_of(c < end ? row[c] : 0, c + 1 < end ? row[c + 1] : 0);
      }
    }
  }
}

// Positions whose codes are unpacked at a time.
std::size_t DecodeProduct::positions_at_once() const {
  const std::size_t step = tiles_.positions_per_quad();
  const std::size_t wanted = std::max<std::size_t>(1, kColumnsAtOnce / block_size_ / step) * step;
  return std::min(wanted, tiles_.n_padded_positions());
}

std::vector<std::size_t> DecodeProduct::multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                                 bool parallel) const {
  const std::size_t lanes = kernels_.lanes;
  const std::size_t most_rows = kernels_.most_vectors * lanes;
  const std::size_t n_panels = (x.rows() + most_rows - 1) / most_rows;
  const Workers workers(parallel);
  const std::size_t panel_floats =
      n_operands_ * std::min(most_rows, (x.rows() + lanes - 1) / lanes * lanes);
  const std::size_t codes_size = positions_at_once() * kTileRows;
  const std::size_t sums_size = kTileRows * most_rows;
  // Panels side by side, or one after the other with the tiles side by side.
  const bool panels_parallel = parallel && n_panels >= 2 * workers.count();
  const Scratch<float> panels((panels_parallel ? workers.count() : 1) * panel_floats);
  const Scratch<std::uint16_t> codes(workers.count() * codes_size);
  const Scratch<float> sums(workers.count() * sums_size);
  Workers(panels_parallel).for_each(n_panels, [&](std::size_t i, std::size_t me) {
    const std::size_t first_row = i * most_rows;
    const std::size_t n_rows = std::min(most_rows, x.rows() - first_row);
    const std::size_t n_vectors = (n_rows + lanes - 1) / lanes;
    float* panel = panels.data() + me * panel_floats;
    fill_panel(x, first_row, n_rows, n_vectors * lanes, panel);
    multiply_panel(first, panel, n_vectors, first_row, n_rows, y, parallel && !panels_parallel,
                   codes.data() + me * codes_size, sums.data() + me * sums_size);
  });
  std::vector<std::size_t> left;
  for (std::size_t r = 0; r < x.rows() && operand_ == Operand::kBfloat16; ++r) {
    if (!holds_bfloat16(x.row(r))) left.push_back(r);
  }
  return left;
}

void DecodeProduct::multiply_panel(std::size_t first, const float* panel, std::size_t n_vectors,
                                   std::size_t first_row, std::size_t n_rows, MutableMatrix y,
                                   bool parallel, std::uint16_t* codes, float* sums) const {
  const auto kernel =
      operand_ == Operand::kFloat ? kernels_.multiply_decoded : kernels_.multiply_decoded_bfloat16;
  const std::size_t n_lanes = n_vectors * kernels_.lanes;
  const std::size_t first_tile = first / kTileRows;
  const std::size_t n_tiles = (first + y.cols() + kTileRows - 1) / kTileRows - first_tile;
  const std::size_t codes_size = positions_at_once() * kTileRows;
  const std::size_t sums_size = kTileRows * kernels_.most_vectors * kernels_.lanes;
  Workers(parallel).for_each(n_tiles, [&](std::size_t i, std::size_t me) {
    const std::size_t tile = first_tile + i;
    std::uint16_t* my_codes = codes + me * codes_size;
    float* my_sums = sums + me * sums_size;
    const std::size_t tile_rows = std::min(kTileRows, tiles_.n_rows() - tile * kTileRows);
    for (std::size_t p = 0; p * block_operands_ < n_operands_; p += positions_at_once()) {
      const std::size_t n = std::min(positions_at_once(), tiles_.n_padded_positions() - p);
      const std::size_t operand = p * block_operands_;
      tiles_.unpack_positions(tile, p, n, my_codes);
      kernel(my_codes, tile_rows, std::min(n * block_operands_, n_operands_ - operand),
             centroids_.data() + p, block_operands_, panel + operand * n_lanes, n_vectors, my_sums,
             n_lanes, p == 0);
    }
    write_tile(my_sums, tile, first, first_row, n_rows, n_lanes, y);
  });
}

}  // namespace pqw
