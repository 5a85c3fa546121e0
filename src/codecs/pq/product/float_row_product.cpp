// y = x Wᵀ of one row of x from codes through tables of floats.
#include "codecs/pq/product/float_row_product.h"

#include <algorithm>

#include "codecs/product/panel.h"
#include "core/parallel.h"

namespace pqw {

using kernels::kNarrowCentroids;
using kernels::kQuadBytes;
using kernels::kTileRows;

namespace {

constexpr std::size_t kTableBytes = 1 << 18;  // built at a time, for the L2 cache

const kernels::FloatLookupKernel* kernel_of(const kernels::LookupKernels& kernels,
                                            CodeWidth width) {
  if (width == CodeWidth::kLarge) return nullptr;
  return width == CodeWidth::kNarrow ? &kernels.narrow_floats : &kernels.wide_floats;
}

}  // namespace

FloatRowProduct::FloatRowProduct(const PqWeight& weight, const CodeTiles& tiles,
                                 const kernels::ProductKernels& product,
                                 const kernels::LookupKernels& lookup)
    : tiles_(tiles),
      product_(product),
      kernel_(kernel_of(lookup, tiles.width())),
      block_size_(weight.block_size),
      n_columns_(weight.cols()),
      n_centroids_(weight.n_centroids),
      codebooks_(weight.codebooks.size()) {
  const std::size_t codebook_floats = n_centroids_ * block_size_;
  for (std::size_t i = 0; i < codebooks_.size(); ++i) {
    const std::size_t within = i % codebook_floats;
    const std::size_t place = within % block_size_ * n_centroids_ + within / block_size_;
    codebooks_[i - within + place] = weight.codebooks[i];
  }
  for (const std::size_t group : group_of_positions(weight, tiles.n_padded_positions())) {
    centroids_.push_back(codebooks_.data() + group * codebook_floats);
  }
}

void FloatRowProduct::build_position(std::size_t position, const float* x, float* table) const {
  const std::size_t column = position * block_size_;
  if (column >= n_columns_) {
    std::fill_n(table, n_centroids_, 0.0f);
  } else {
    product_.build_row(x + column, std::min(block_size_, n_columns_ - column), centroids_[position],
                       n_centroids_, table);
  }
}

// The table of a byte of two codes holds the sums of the entries of both.
void FloatRowProduct::build_unit(std::size_t unit, const float* x, float* table) const {
  if (tiles_.width() != CodeWidth::kNarrow) {
    build_position(unit, x, table);
  } else {
    const std::size_t position = unit / kQuadBytes * 2 * kQuadBytes + unit % kQuadBytes;
    float low[kNarrowCentroids] = {}, high[kNarrowCentroids] = {};
    build_position(position, x, low);
    build_position(position + kQuadBytes, x, high);
    for (std::size_t k = 0; k < kNarrowCentroids; ++k) {
      for (std::size_t i = 0; i < kNarrowCentroids; ++i) {
        table[k * kNarrowCentroids + i] = low[i] + high[k];
      }
    }
  }
  if (kernel_ != nullptr && kernel_->arrange != nullptr) kernel_->arrange(table);
}

void FloatRowProduct::sweep(TileRuns::Run run, std::size_t first_quad, std::size_t n_quads,
                            const float* tables, float* sums) const {
  if (kernel_ != nullptr) {
    return kernel_->sweep(tiles_.bytes_of(run.begin, first_quad), tiles_.quad_stride(run.begin),
                          n_quads, run.end - run.begin, tables, sums);
  }
  std::uint16_t codes[kQuadBytes * kTileRows];
  for (std::size_t quad = 0; quad < n_quads; ++quad, tables += kQuadBytes * table_floats()) {
    for (std::size_t tile = run.begin; tile < run.end; ++tile) {
      tiles_.unpack_units(tile, (first_quad + quad) * kQuadBytes, kQuadBytes, codes);
      product_.sweep_row(codes, kQuadBytes, tables, table_floats(),
                         sums + (tile - run.begin) * kTileRows);
    }
  }
}

void FloatRowProduct::multiply(std::size_t first, const float* x, MutableMatrix y,
                               bool parallel) const {
  const Workers workers(parallel);
  const std::size_t first_tile = first / kTileRows;
  const std::size_t end_tile = (first + y.cols() + kTileRows - 1) / kTileRows;
  const TileRuns runs(first_tile, end_tile, workers.count());
  const std::size_t quad_floats = kQuadBytes * table_floats();
  const std::size_t quads_at_once =
      std::clamp<std::size_t>(kTableBytes / (quad_floats * sizeof(float)), 1, tiles_.n_quads());
  const Scratch<float> tables(quads_at_once * quad_floats);
  const Scratch<float> sums((end_tile - first_tile) * kTileRows);
  std::fill_n(sums.data(), (end_tile - first_tile) * kTileRows, 0.0f);
  workers.together([&](const Worker& me) {
    const IndexRange my_runs = me.share(runs.count());
    for (std::size_t quad = 0; quad < tiles_.n_quads(); quad += quads_at_once) {
      const std::size_t n = std::min(quads_at_once, tiles_.n_quads() - quad);
      const IndexRange my_units = me.share(n * kQuadBytes);
      for (std::size_t u = my_units.begin; u < my_units.end; ++u) {
        build_unit(quad * kQuadBytes + u, x, tables.data() + u * table_floats());
      }
      me.wait();
      for (std::size_t i = my_runs.begin; i < my_runs.end; ++i) {
        sweep(runs[i], quad, n, tables.data(),
              sums.data() + (runs[i].begin - first_tile) * kTileRows);
      }
      me.wait();
    }
  });
  for (std::size_t tile = first_tile; tile < end_tile; ++tile) {
    float* tile_sums = sums.data() + (tile - first_tile) * kTileRows;
    float rows[kTileRows];
    if (kernel_ != nullptr) {
      kernel_->order(tile_sums, rows);
    } else {
      std::copy_n(tile_sums, kTileRows, rows);
    }
    write_tile(rows, tile, first, 0, 1, 1, y);
  }
}

}  // namespace pqw
