// y = x Wᵀ through integer tables, many rows of x side by side.
#include "codecs/pq/product/batch_lookup_product.h"

#include <algorithm>
#include <cassert>

#include "codecs/product/panel.h"
#include "core/parallel.h"

namespace pqw {

using kernels::kQuadBytes;
using kernels::kScaleQuads;
using kernels::kTileRows;

// Rows of x that are multiplied together.
struct BatchLookupProduct::Panel {
  const kernels::BatchLookupKernel& kernel;
  std::size_t n_rows;
  std::int16_t* integers;  // [padded positions][...], as the kernel wants those of a position
  float* scales;           // [groups][kernel.rows]
};

BatchLookupProduct::BatchLookupProduct(const PqWeight& weight, const CodeTiles& tiles,
                                       const OutlierCentroids& outlier_centroids,
                                       const kernels::LookupKernels& kernels)
    : tiles_(tiles),
      outlier_centroids_(outlier_centroids),
      few_(kernels.few_fast),
      many_(kernels.many_fast),
      block_size_(weight.block_size),
      n_columns_(weight.cols()),
      n_centroids_(weight.n_centroids),
      codebooks_(weight, outlier_centroids.others(), n_centroids_, IntegerCodebooks::kInOrder,
                 tiles.n_padded_positions()) {
  assert(tiles.width() == CodeWidth::kWide && block_size_ <= kLargestBlock);
}

// `row` has room for the integers of a row.
bool BatchLookupProduct::quantize(const float* x, std::size_t lane, std::int16_t* row,
                                  const Panel& panel) const {
  const std::size_t n_pairs = codebooks_.n_pairs();
  const std::size_t rows = panel.kernel.rows, words = panel.kernel.vector_words;
  for (std::size_t group = 0; group < tiles_.n_quad_groups(); ++group) {
    const std::size_t first = group * kScaleQuads * kQuadBytes;
    const std::size_t n = std::min(kScaleQuads * kQuadBytes, tiles_.n_padded_positions() - first);
    double factor;
    if (!quantize_positions(x, n_columns_, block_size_, codebooks_, first, n,
                            kernels::kBatchHeadroom, row + first * 2 * n_pairs, &factor)) {
      return false;
    }
    panel.scales[group * rows + lane] = static_cast<float>(factor * 0x1p16);
  }
  const std::size_t place = lane / words * words * 2 + lane % 2 * words + lane % words / 2 * 2;
  for (std::size_t pair = 0; pair < tiles_.n_padded_positions() * n_pairs; ++pair) {
    std::copy_n(row + 2 * pair, 2, panel.integers + pair * 2 * rows + place);
  }
  return true;
}

void BatchLookupProduct::multiply_panel(const Panel& panel, std::size_t first,
                                        std::size_t first_row, MutableMatrix y,
                                        bool parallel) const {
  const kernels::BatchLookupKernel& kernel = panel.kernel;
  const std::size_t first_tile = first / kTileRows;
  const std::size_t n_tiles = (first + y.cols() + kTileRows - 1) / kTileRows - first_tile;
  const std::size_t tile_values = kTileRows * kernel.rows;
  const std::size_t position_integers = 2 * codebooks_.n_pairs() * kernel.rows;
  const std::size_t table_words = kernels::kWideCentroids * kernel.rows;
  const Scratch<std::uint16_t> tables(kScaleQuads * kQuadBytes * table_words);
  const Scratch<std::uint16_t> sums(n_tiles * tile_values);
  const Scratch<float> totals(n_tiles * tile_values);
  Workers(parallel).together([&](const Worker& me) {
    const IndexRange my_tiles = me.share(n_tiles);
    for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
      std::fill_n(sums.data() + tile * tile_values, tile_values, std::uint16_t{0});
      std::fill_n(totals.data() + tile * tile_values, tile_values, 0.0f);
    }
    for (std::size_t group = 0; group < tiles_.n_quad_groups(); ++group) {
      const std::size_t q0 = group * kScaleQuads;
      const std::size_t q1 = std::min(q0 + kScaleQuads, tiles_.n_quads());
      const IndexRange my_tables = me.share((q1 - q0) * kQuadBytes);
      for (std::size_t i = my_tables.begin; i < my_tables.end; ++i) {
        const std::size_t p = q0 * kQuadBytes + i;
        kernel.build(panel.integers + p * position_integers, codebooks_.centroids()[p],
                     codebooks_.n_pairs(), n_centroids_, tables.data() + i * table_words);
      }
      me.wait();
      for (std::size_t quad = q0; quad < q1; ++quad) {
        for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
          kernel.sweep(tiles_.bytes_of(first_tile + tile, quad),
                       tables.data() + (quad - q0) * kQuadBytes * table_words,
                       sums.data() + tile * tile_values);
        }
      }
      for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
        kernel.flush(sums.data() + tile * tile_values, panel.scales + group * kernel.rows,
                     totals.data() + tile * tile_values);
      }
      me.wait();
    }
    for (std::size_t tile = my_tiles.begin; tile < my_tiles.end; ++tile) {
      write_tile(totals.data() + tile * tile_values, first_tile + tile, first, first_row,
                 panel.n_rows, kernel.rows, y);
    }
  });
}

std::vector<std::size_t> BatchLookupProduct::multiply(std::size_t first, ConstMatrix x,
                                                      MutableMatrix y, bool parallel) const {
  const std::size_t row_integers = tiles_.n_padded_positions() * 2 * codebooks_.n_pairs();
  const std::size_t most_rows = kernel(x.rows()).rows;
  const Scratch<std::int16_t> row(row_integers);
  const Scratch<std::int16_t> integers(row_integers * most_rows);
  const Scratch<float> scales(tiles_.n_quad_groups() * most_rows);
  const Scratch<float> outlier_products(outlier_centroids_.n_products());
  std::vector<std::size_t> left;
  for (std::size_t r0 = 0; r0 < x.rows();) {
    const kernels::BatchLookupKernel& kernel = this->kernel(x.rows() - r0);
    const Panel panel{.kernel = kernel,
                      .n_rows = std::min(kernel.rows, x.rows() - r0),
                      .integers = integers.data(),
                      .scales = scales.data()};
    std::fill_n(panel.integers, row_integers * kernel.rows, std::int16_t{0});
    std::fill_n(panel.scales, tiles_.n_quad_groups() * kernel.rows, 0.0f);
    for (std::size_t lane = 0; lane < panel.n_rows; ++lane) {
      if (!quantize(x.row(r0 + lane).data(), lane, row.data(), panel)) left.push_back(r0 + lane);
    }
    multiply_panel(panel, first, r0, y, parallel);
    for (std::size_t lane = 0; lane < panel.n_rows && outlier_centroids_.n_codes() > 0; ++lane) {
      outlier_centroids_.multiply(x.row(r0 + lane).data(), outlier_products.data());
      outlier_centroids_.add(outlier_products.data(), first, y.row(r0 + lane));
    }
    r0 += panel.n_rows;
  }
  return left;
}

}  // namespace pqw
