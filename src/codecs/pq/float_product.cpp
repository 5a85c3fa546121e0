// y = x Wᵀ from codes with floats.
#include "codecs/pq/float_product.h"

#include <omp.h>

#include <algorithm>
#include <cassert>

#include "codecs/panel.h"

namespace pqw {

using kernels::kTileRows;

namespace {

constexpr std::size_t kSharedTableBytes = std::size_t{1}
                                          << 18;                // built at a time, for the L2 cache
constexpr std::size_t kSweptTableBytes = std::size_t{1} << 16;  // swept at a time, for the L1 cache
constexpr std::size_t kDirectColumns = 512;  // about as many at a time; their codes stay in L1

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

void FloatProduct::multiply_by_tables(std::size_t first, ConstMatrix x, MutableMatrix y,
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

// Positions whose codes are unpacked at a time.
std::size_t FloatProduct::direct_positions() const {
  const std::size_t step = tiles_.positions_per_block();
  const std::size_t wanted = std::max<std::size_t>(1, kDirectColumns / block_size_ / step) * step;
  return std::min(wanted, tiles_.n_padded_positions());
}

void FloatProduct::multiply_directly(std::size_t first, ConstMatrix x, MutableMatrix y,
                                     bool parallel) const {
  const std::size_t lanes = kernels_.lanes;
  const std::size_t most_rows = kernels_.most_vectors * lanes;
  const std::size_t n_panels = (x.rows() + most_rows - 1) / most_rows;
  const std::size_t n_threads = threads_of(parallel);
  const std::size_t panel_floats =
      n_columns_ * std::min(most_rows, (x.rows() + lanes - 1) / lanes * lanes);
  const std::size_t codes_size = direct_positions() * kTileRows;
  const std::size_t sums_size = kTileRows * most_rows;
  // Panels side by side, or one after the other with the tiles side by side.
  const bool panels_parallel = parallel && n_panels >= 2 * n_threads;
  const Scratch<float> panels((panels_parallel ? n_threads : 1) * panel_floats);
  const Scratch<std::uint16_t> codes(n_threads * codes_size);
  const Scratch<float> sums(n_threads * sums_size);
#pragma omp parallel for schedule(static) if (panels_parallel)
  for (std::size_t i = 0; i < n_panels; ++i) {
    const std::size_t first_row = i * most_rows;
    const std::size_t n_rows = std::min(most_rows, x.rows() - first_row);
    const std::size_t n_vectors = (n_rows + lanes - 1) / lanes;
    const std::size_t me = this_thread();
    float* panel = panels.data() + me * panel_floats;
    transpose(x, first_row, n_rows, n_vectors * lanes, panel);
    multiply_panel(first, panel, n_vectors, first_row, n_rows, y, parallel && !panels_parallel,
                   codes.data() + me * codes_size, sums.data() + me * sums_size);
  }
}

void FloatProduct::multiply_panel(std::size_t first, const float* panel, std::size_t n_vectors,
                                  std::size_t first_row, std::size_t n_rows, MutableMatrix y,
                                  bool parallel, std::uint16_t* codes, float* sums) const {
  const std::size_t n_lanes = n_vectors * kernels_.lanes;
  const std::size_t end_tile = (first + y.cols() + kTileRows - 1) / kTileRows;
  const std::size_t codes_size = direct_positions() * kTileRows;
  const std::size_t sums_size = kTileRows * kernels_.most_vectors * kernels_.lanes;
#pragma omp parallel for schedule(static) if (parallel)
  for (std::size_t tile = first / kTileRows; tile < end_tile; ++tile) {
    // A region within a region has one thread, which is number 0.
    std::uint16_t* my_codes = codes + (parallel ? this_thread() : 0) * codes_size;
    float* my_sums = sums + (parallel ? this_thread() : 0) * sums_size;
    std::fill_n(my_sums, kTileRows * n_lanes, 0.0f);
    for (std::size_t p = 0; p * block_size_ < n_columns_; p += direct_positions()) {
      const std::size_t n = std::min(direct_positions(), tiles_.n_padded_positions() - p);
      const std::size_t column = p * block_size_;
      tiles_.unpack_positions(tile, p, n, my_codes);
      kernels_.direct(my_codes, std::min(n * block_size_, n_columns_ - column),
                      centroids_.data() + p, block_size_, panel + column * n_lanes, n_vectors,
                      my_sums);
    }
    write_tile(my_sums, tile, first, first_row, n_rows, n_lanes, y);
  }
}

}  // namespace pqw
