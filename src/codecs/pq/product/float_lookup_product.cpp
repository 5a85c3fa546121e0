// y = x Wᵀ from codes through tables of floats, rows of x side by side.
#include "codecs/pq/product/float_lookup_product.h"

#include <algorithm>

#include "codecs/product/panel.h"
#include "core/parallel.h"

namespace pqw {

using kernels::kTileRows;

namespace {

constexpr std::size_t kSharedTableBytes = 1 << 18;  // built at a time, for the L2 cache
constexpr std::size_t kSweptTableBytes = 1 << 16;   // swept at a time, for the L1 cache

}  // namespace

FloatLookupProduct::FloatLookupProduct(const PqWeight& weight, const CodeTiles& tiles,
                                       const kernels::ProductKernels& kernels,
                                       const kernels::LookupKernels& row_kernels)
    : tiles_(tiles),
      kernels_(kernels),
      block_size_(weight.block_size),
      n_columns_(weight.cols()),
      n_centroids_(weight.n_centroids),
      codebooks_(weight.codebooks),
      row_product_(weight, tiles, kernels, row_kernels) {
  for (const std::size_t group : group_of_positions(weight, tiles.n_padded_positions())) {
    centroids_.push_back(codebooks_.data() + group * n_centroids_ * block_size_);
  }
}

std::size_t FloatLookupProduct::entries() const {
  return tiles_.width() == CodeWidth::kNarrow ? kernels::kWideCentroids : n_centroids_;
}

// Layout: x is float[columns][lanes]; so are the tables.
void FloatLookupProduct::build_position(std::size_t position, const float* x, float* table) const {
  const std::size_t column = position * block_size_;
  const std::size_t width = column < n_columns_ ? std::min(block_size_, n_columns_ - column) : 0;
  if (width == 0) {
    std::fill_n(table, n_centroids_ * kernels_.lanes, 0.0f);
  } else {
    kernels_.build(x + column * kernels_.lanes, width, centroids_[position], block_size_,
                   n_centroids_, table);
  }
}

// The table of a byte of two codes holds the sums of the entries of both.
void FloatLookupProduct::build_unit(std::size_t unit, const float* x, float* table,
                                    float* halves) const {
  if (tiles_.width() != CodeWidth::kNarrow) return build_position(unit, x, table);
  const std::size_t lanes = kernels_.lanes;
  constexpr std::size_t kBytes = kernels::kQuadBytes;
  const std::size_t position = unit / kBytes * 2 * kBytes + unit % kBytes;
  float* high = halves + kernels::kNarrowCentroids * lanes;
  build_position(position, x, halves);
  build_position(position + kBytes, x, high);
  for (std::size_t k = 0; k < n_centroids_; ++k) {
    for (std::size_t i = 0; i < n_centroids_; ++i) {
      float* entry = table + (k * kernels::kNarrowCentroids + i) * lanes;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        entry[lane] = halves[i * lanes + lane] + high[k * lanes + lane];
      }
    }
  }
}

void FloatLookupProduct::multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                  bool parallel) const {
  for (std::size_t row = 0; row < x.rows(); row += kernels_.lanes) {
    const std::size_t n = std::min(kernels_.lanes, x.rows() - row);
    const ProductSize size{.batch = n,
                           .n_rows = y.cols(),
                           .n_columns = n_columns_,
                           .block_size = block_size_,
                           .n_centroids = n_centroids_,
                           .width = tiles_.width()};
    if (!is_faster_by_row(size, kernels_, row_product_.kernel())) {
      multiply_lanes(first, x, row, n, y, parallel);
      continue;
    }
    for (std::size_t r = row; r < row + n; ++r) {
      row_product_.multiply(first, x.row(r).data(), {y.row(r).data(), 1, y.cols()}, parallel);
    }
  }
}

void FloatLookupProduct::multiply_lanes(std::size_t first, ConstMatrix x, std::size_t first_row,
                                        std::size_t n_rows, MutableMatrix y, bool parallel) const {
  const Workers workers(parallel);
  const std::size_t lanes = kernels_.lanes;
  const std::size_t table_floats = entries() * lanes;
  const std::size_t table_bytes = table_floats * sizeof(float);
  const std::size_t units_shared =
      std::clamp<std::size_t>(kSharedTableBytes / table_bytes, 1, tiles_.n_units());
  const std::size_t units_swept =
      std::clamp<std::size_t>(kSweptTableBytes / table_bytes, 1, units_shared);
  const std::size_t first_tile = first / kTileRows;
  const std::size_t n_tiles = (first + y.cols() + kTileRows - 1) / kTileRows - first_tile;
  const std::size_t tile_floats = kTileRows * lanes;
  const std::size_t halves_floats = 2 * kernels::kNarrowCentroids * lanes;
  const Scratch<float> panel(n_columns_ * lanes);
  const Scratch<float> tables(units_shared * table_floats);
  const Scratch<float> halves(workers.count() * halves_floats);
  const Scratch<float> sums(n_tiles * tile_floats);
  const Scratch<std::uint16_t> codes(workers.count() * units_swept * kTileRows);
  transpose(x, first_row, n_rows, lanes, panel.data());
  workers.together([&](const Worker& me) {
    std::uint16_t* my_codes = codes.data() + me.index * units_swept * kTileRows;
    float* my_halves = halves.data() + me.index * halves_floats;
    const IndexRange my_tiles = me.share(n_tiles);
    std::fill(sums.data() + my_tiles.begin * tile_floats, sums.data() + my_tiles.end * tile_floats,
              0.0f);
    for (std::size_t u0 = 0; u0 < tiles_.n_units(); u0 += units_shared) {
      const std::size_t n_shared = std::min(tiles_.n_units() - u0, units_shared);
      const IndexRange my_units = me.share(n_shared);
      for (std::size_t u = my_units.begin; u < my_units.end; ++u) {
        build_unit(u0 + u, panel.data(), tables.data() + u * table_floats, my_halves);
      }
      me.wait();
      for (std::size_t u = 0; u < n_shared; u += units_swept) {
        const std::size_t n = std::min(units_swept, n_shared - u);
        for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
          tiles_.unpack_units(first_tile + tile, u0 + u, n, my_codes);
          kernels_.sweep(my_codes, n, tables.data() + u * table_floats, table_floats,
                         sums.data() + tile * tile_floats);
        }
      }
      me.wait();
    }
    for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
      write_tile(sums.data() + tile * tile_floats, first_tile + tile, first, first_row, n_rows,
                 lanes, y);
    }
  });
}

}  // namespace pqw
