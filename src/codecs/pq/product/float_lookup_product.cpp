// y = x Wᵀ from codes through tables of floats.
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
  for (const std::size_t group : group_of_positions(weight, tiles.n_padded_positions())) {
    codebook_at_.push_back(group * codebook_floats);
    centroids_.push_back(codebooks_.data() + group * codebook_floats);
  }
}

std::size_t FloatLookupProduct::entries() const {
  return tiles_.width() == CodeWidth::kNarrow ? kernels::kWideCentroids : n_centroids_;
}

// Layout: x is float[columns] for one row, else float[columns][lanes]; so are the tables.
void FloatLookupProduct::build_position(std::size_t position, const float* x, bool one_row,
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
void FloatLookupProduct::build_unit(std::size_t unit, const float* x, bool one_row, float* table,
                                    float* halves) const {
  if (tiles_.width() != CodeWidth::kNarrow) return build_position(unit, x, one_row, table);
  const std::size_t lanes = one_row ? 1 : kernels_.lanes;
  constexpr std::size_t kBytes = kernels::kQuadBytes;
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

void FloatLookupProduct::multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                  bool parallel) const {
  for (std::size_t row = 0; row < x.rows(); row += kernels_.lanes) {
    const std::size_t n = std::min(kernels_.lanes, x.rows() - row);
    multiply_lanes(first, x, row, n, y, parallel);
  }
}

void FloatLookupProduct::multiply_lanes(std::size_t first, ConstMatrix x, std::size_t first_row,
                                        std::size_t n_rows, MutableMatrix y, bool parallel) const {
  const Workers workers(parallel);
  const bool one_row = n_rows == 1;
  const std::size_t lanes = one_row ? 1 : kernels_.lanes;
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
  const float* columns = panel.data();
  if (one_row) {
    columns = x.row(first_row).data();
  } else {
    transpose(x, first_row, n_rows, lanes, panel.data());
  }
  const auto sweep = one_row ? kernels_.sweep_row : kernels_.sweep;
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
        build_unit(u0 + u, columns, one_row, tables.data() + u * table_floats, my_halves);
      }
      me.wait();
      for (std::size_t u = 0; u < n_shared; u += units_swept) {
        const std::size_t n = std::min(units_swept, n_shared - u);
        for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
          tiles_.unpack_units(first_tile + tile, u0 + u, n, my_codes);
          sweep(my_codes, n, tables.data() + u * table_floats, table_floats,
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
