// y = x Wᵀ from codes through tables of floats.
#include "codecs/pq/product/float_product.h"

#include <omp.h>

#include <algorithm>
#include <cassert>

#include "codecs/product/panel.h"

namespace pqw {

using kernels::kTileRows;

namespace {

constexpr std::size_t kSharedTableBytes = std::size_t{1}
                                          << 18;                // built at a time, for the L2 cache
constexpr std::size_t kSweptTableBytes = std::size_t{1} << 16;  // swept at a time, for the L1 cache

std::size_t threads_of(bool parallel) {
  return parallel ? static_cast<std::size_t>(omp_get_max_threads()) : 1;
}
std::size_t this_thread() { return static_cast<std::size_t>(omp_get_thread_num()); }

}  // namespace

FloatProduct::FloatProduct(const PqWeight& weight, const CodeTiles& tiles,
                           const kernels::ProductKernels& kernels)
    : tiles_(tiles),
      kernels_(kernels),
      block_size_(weight.block_size),
      n_columns_(weight.cols()),
      n_centroids_(weight.n_centroids),
      codebooks_(weight.codebooks),
      transposed_(weight.codebooks.size()) {
  const std::size_t codebook_floats = n_centroids_ * block_size_;
  for (std::size_t i = 0; i < codebooks_.size(); ++i) {
    const std::size_t within = i % codebook_floats;
    const std::size_t place = within % block_size_ * n_centroids_ + within / block_size_;
    transposed_[i - within + place] = codebooks_[i];
  }
  for (std::size_t g = 0; g < weight.n_groups; ++g) {
    const std::size_t end = g + 1 == weight.n_groups
                                ? tiles.n_padded_positions()
                                : first_position(g + 1, weight.n_groups, weight.positions());
    codebook_at_.resize(end, g * codebook_floats);
  }
  for (const std::size_t at : codebook_at_) centroids_.push_back(codebooks_.data() + at);
}

std::size_t FloatProduct::entries() const {
  return tiles_.width() == CodeWidth::kNarrow ? kernels::kWideCentroids : n_centroids_;
}

// What one_row: x is float[columns], else float[columns][lanes]; the tables likewise.
void FloatProduct::build_position(std::size_t position, const float* x, bool one_row,
                                  float* table) const {
  const std::size_t column = position * block_size_;
  const std::size_t lanes = one_row ? 1 : kernels_.lanes;
  const std::size_t width = column < n_columns_ ? std::min(block_size_, n_columns_ - column) : 0;
  if (width == 0) {
    std::fill_n(table, n_centroids_ * lanes, 0.0f);
  } else if (one_row) {
    kernels_.build_row(x + column, width, transposed_.data() + codebook_at_[position], n_centroids_,
                       table);
  } else {
    kernels_.build(x + column * lanes, width, centroids_[position], block_size_, n_centroids_,
                   table);
  }
}

// The table of a byte of two codes holds the sums of the entries of both.
void FloatProduct::build_unit(std::size_t unit, const float* x, bool one_row, float* table,
                              float* halves) const {
  if (tiles_.width() != CodeWidth::kNarrow) return build_position(unit, x, one_row, table);
  const std::size_t lanes = one_row ? 1 : kernels_.lanes;
  constexpr std::size_t kBytes = kernels::kBlockBytes;
  const std::size_t position = unit / kBytes * 2 * kBytes + unit % kBytes;
  float* high = halves + kernels::kNarrowCentroids * lanes;
  build_position(position, x, one_row, halves);
  build_position(position + kBytes, x, one_row, high);
  for (std::size_t k = 0; k < n_centroids_; ++k) {
    for (std::size_t i = 0; i < n_centroids_; ++i) {
      float* entry = table + (k * kernels::kNarrowCentroids + i) * lanes;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        entry[lane] = halves[i * lanes + lane] + high[k * lanes + lane];
      }
    }
  }
}

void FloatProduct::multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                            bool parallel) const {
  for (std::size_t row = 0; row < x.rows(); row += kernels_.lanes) {
    const std::size_t n = std::min(kernels_.lanes, x.rows() - row);
    multiply_lanes(first, x, row, n, y, parallel);
  }
}

void FloatProduct::multiply_lanes(std::size_t first, ConstMatrix x, std::size_t first_row,
                                  std::size_t n_rows, MutableMatrix y, bool parallel) const {
  const bool one_row = n_rows == 1;
  const std::size_t lanes = one_row ? 1 : kernels_.lanes;
  const std::size_t table_floats = entries() * lanes;
  const std::size_t table_bytes = table_floats * sizeof(float);
  const std::size_t units_shared =
      std::clamp<std::size_t>(kSharedTableBytes / table_bytes, 1, tiles_.n_units());
  const std::size_t units_swept =
      std::clamp<std::size_t>(kSweptTableBytes / table_bytes, 1, units_shared);
  const std::size_t first_tile = first / kTileRows;
  const std::size_t end_tile = (first + y.cols() + kTileRows - 1) / kTileRows;
  const std::size_t tile_floats = kTileRows * lanes;
  const std::size_t halves_floats = 2 * kernels::kNarrowCentroids * lanes;
  const Scratch<float> panel(n_columns_ * lanes);
  const Scratch<float> tables(units_shared * table_floats);
  const Scratch<float> halves(threads_of(parallel) * halves_floats);
  const Scratch<float> sums((end_tile - first_tile) * tile_floats);
  const Scratch<std::uint16_t> codes(threads_of(parallel) * units_swept * kTileRows);
  const float* columns = panel.data();
  if (one_row) {
    columns = x.row(first_row).data();
  } else {
    transpose(x, first_row, n_rows, lanes, panel.data());
  }
  const auto sweep = one_row ? kernels_.sweep_row : kernels_.sweep;
#pragma omp parallel if (parallel)
  {
    std::uint16_t* my_codes = codes.data() + this_thread() * units_swept * kTileRows;
    float* my_halves = halves.data() + this_thread() * halves_floats;
#pragma omp for schedule(static)
    for (std::size_t tile = first_tile; tile < end_tile; ++tile) {
      std::fill_n(sums.data() + (tile - first_tile) * tile_floats, tile_floats, 0.0f);
    }
    for (std::size_t u0 = 0; u0 < tiles_.n_units(); u0 += units_shared) {
      const std::size_t u1 = std::min(tiles_.n_units(), u0 + units_shared);
#pragma omp for schedule(static)
      for (std::size_t u = u0; u < u1; ++u) {
        build_unit(u, columns, one_row, tables.data() + (u - u0) * table_floats, my_halves);
      }
      for (std::size_t u = u0; u < u1; u += units_swept) {
        const std::size_t n = std::min(units_swept, u1 - u);
#pragma omp for schedule(static) nowait
        for (std::size_t tile = first_tile; tile < end_tile; ++tile) {
          tiles_.unpack_units(tile, u, n, my_codes);
          sweep(my_codes, n, tables.data() + (u - u0) * table_floats, table_floats,
                sums.data() + (tile - first_tile) * tile_floats);
        }
      }
#pragma omp barrier
    }
#pragma omp for schedule(static)
    for (std::size_t tile = first_tile; tile < end_tile; ++tile) {
      write_tile(sums.data() + (tile - first_tile) * tile_floats, tile, first, first_row, n_rows,
                 lanes, y);
    }
  }
}

}  // namespace pqw
