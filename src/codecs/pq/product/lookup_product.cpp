// y = x Wᵀ through integer tables.
#include "codecs/pq/product/lookup_product.h"

#include <algorithm>
#include <array>
#include <cassert>

#include "core/parallel.h"

namespace pqw {

using kernels::kScaleQuads;
using kernels::kTileRows;

namespace {

constexpr std::size_t kRowsAtOnce = 4;                     // that share the codes in the L2 cache
constexpr std::size_t kTableBytes = std::size_t{1} << 20;  // tables at a time, for the L2 cache

std::size_t entries_of(const CodeTiles& tiles) {
  return tiles.width() == CodeWidth::kNarrow ? kernels::kNarrowCentroids : kernels::kWideCentroids;
}

const kernels::LookupKernel& kernel_of(const kernels::LookupKernels& kernels, CodeWidth width,
                                       bool high) {
  if (width == CodeWidth::kNarrow) return high ? kernels.narrow_high : kernels.narrow_fast;
  return high ? kernels.wide_high : kernels.wide_fast;
}

}  // namespace

// Rows of x that are multiplied together, and the memory for it.
struct LookupProduct::Batch {
  std::size_t n_rows = 0;
  std::array<std::size_t, kRowsAtOnce> y_rows = {};
  std::size_t first_tile, end_tile;
  std::size_t groups_at_once;
  bool parallel;
  std::int16_t* integers;   // [row][row_integers()]
  double* factors;          // [row][n_quad_groups]
  float* outlier_products;  // [row][outlier_centroids_.n_products()]
  std::uint8_t* tables;     // [row][groups_at_once][group_table_bytes()]
  float* scales;            // [row][groups_at_once]
  float* sums;              // [row][tiles][64]
  std::uint8_t* scratch;    // of each thread: of a sweep, and the words of a build
  std::size_t scratch_bytes;
};

LookupProduct::LookupProduct(const PqWeight& weight, const CodeTiles& tiles, bool high,
                             double outlier_share, const kernels::LookupKernels& kernels)
    : tiles_(tiles),
      kernel_(kernel_of(kernels, tiles.width(), high)),
      block_size_(weight.block_size),
      n_columns_(weight.cols()),
      n_entries_(entries_of(tiles)),
      outlier_centroids_(weight, outlier_share),
      codebooks_(weight, outlier_centroids_.others(), n_entries_,
                 tiles.width() == CodeWidth::kNarrow ? kernels.narrow_lanes : kernels.wide_lanes,
                 tiles.n_padded_positions()) {
  assert(tiles.width() != CodeWidth::kLarge);
}

bool LookupProduct::prepare(const float* x, std::int16_t* integers, double* factors) const {
  const std::size_t group_positions = kScaleQuads * tiles_.positions_per_quad();
  for (std::size_t group = 0; group < tiles_.n_quad_groups(); ++group) {
    const std::size_t first = group * group_positions;
    const std::size_t n = group_quads(group) * tiles_.positions_per_quad();
    if (!quantize_positions(x, n_columns_, block_size_, codebooks_, first, n, 1,
                            integers + first * 2 * codebooks_.n_pairs(), factors + group)) {
      return false;
    }
  }
  return true;
}

// `group` counts from the first one of this round.
void LookupProduct::build(const Batch& batch, std::size_t row, std::size_t group,
                          std::uint16_t* words) const {
  const std::size_t at = row * batch.groups_at_once + group % batch.groups_at_once;
  const double factor = batch.factors[row * tiles_.n_quad_groups() + group];
  batch.scales[at] = 0;
  if (factor == 0) return;
  const std::size_t first = group * kScaleQuads * tiles_.positions_per_quad();
  const std::int32_t byte_factor =
      kernel_.build({.x = batch.integers + row * row_integers() + first * 2 * codebooks_.n_pairs(),
                     .centroids = codebooks_.centroids() + first,
                     .n_positions = group_quads(group) * tiles_.positions_per_quad(),
                     .n_pairs = codebooks_.n_pairs()},
                    words, batch.tables + at * group_table_bytes());
  batch.scales[at] = static_cast<float>(factor * 0x1p16 * (0x1p15 / byte_factor));
}

void LookupProduct::sweep(const Batch& batch, std::size_t first_tile, std::size_t n_tiles,
                          std::size_t group, std::uint8_t* scratch) const {
  for (std::size_t row = 0; row < batch.n_rows; ++row) {
    const std::size_t at = row * batch.groups_at_once + group % batch.groups_at_once;
    if (batch.scales[at] == 0) continue;
    const std::size_t n_batch_tiles = batch.end_tile - batch.first_tile;
    float* sums = batch.sums + (row * n_batch_tiles + first_tile - batch.first_tile) * kTileRows;
    kernel_.sweep(tiles_.bytes_of(first_tile, group * kScaleQuads), tiles_.quad_stride(first_tile),
                  group_quads(group), n_tiles, batch.tables + at * group_table_bytes(),
                  batch.scales[at], scratch, sums);
  }
}

void LookupProduct::multiply_batch(const Batch& batch, std::size_t first, MutableMatrix y) const {
  const std::size_t n_tiles = batch.end_tile - batch.first_tile;
  const Workers workers(batch.parallel);
  const TileRuns runs(batch.first_tile, batch.end_tile, workers.count());
  std::fill_n(batch.sums, batch.n_rows * n_tiles * kTileRows, 0.0f);
  workers.together([&](const Worker& me) {
    std::uint8_t* scratch = batch.scratch + me.index * batch.scratch_bytes;
    auto* words = reinterpret_cast<std::uint16_t*>(scratch);
    const IndexRange my_runs = me.share(runs.count());
    for (std::size_t g0 = 0; g0 < tiles_.n_quad_groups(); g0 += batch.groups_at_once) {
      const std::size_t g1 = std::min(tiles_.n_quad_groups(), g0 + batch.groups_at_once);
      const IndexRange my_tables = me.share(batch.n_rows * (g1 - g0));
      for (std::size_t i = my_tables.begin; i < my_tables.end; ++i) {
        build(batch, i / (g1 - g0), g0 + i % (g1 - g0), words);
      }
      me.wait();
      for (std::size_t run = my_runs.begin; run < my_runs.end; ++run) {
        const auto [begin, end] = runs[run];
        for (std::size_t group = g0; group < g1; ++group) {
          sweep(batch, begin, end - begin, group, scratch);
        }
      }
      me.wait();
    }
  });
  for (std::size_t row = 0; row < batch.n_rows; ++row) {
    float* out = y.row(batch.y_rows[row]).data();
    for (std::size_t tile = 0; tile < n_tiles; ++tile) {
      float rows[kTileRows];
      kernel_.order(batch.sums + (row * n_tiles + tile) * kTileRows, rows);
      const std::size_t begin = (batch.first_tile + tile) * kTileRows;
      const std::size_t from = std::max(begin, first);
      const std::size_t to = std::min(begin + kTileRows, first + y.cols());
      std::copy(rows + (from - begin), rows + (to - begin), out + (from - first));
    }
    outlier_centroids_.add(batch.outlier_products + row * outlier_centroids_.n_products(), first,
                           {out, y.cols()});
  }
}

std::vector<std::size_t> LookupProduct::multiply(std::size_t first, ConstMatrix x, MutableMatrix y,
                                                 bool parallel) const {
  Batch batch;
  batch.first_tile = first / kTileRows;
  batch.end_tile = (first + y.cols() + kTileRows - 1) / kTileRows;
  batch.parallel = parallel;
  const std::size_t most_rows = std::min(kRowsAtOnce, x.rows());
  const std::size_t n_tiles = batch.end_tile - batch.first_tile;
  batch.groups_at_once = std::clamp<std::size_t>(
      kTableBytes / std::max<std::size_t>(1, most_rows * group_table_bytes()), 1,
      tiles_.n_quad_groups());
  batch.scratch_bytes =
      std::max(kernels::kSweepTiles * kernels::kScratchBytes,
               kScaleQuads * tiles_.positions_per_quad() * n_entries_ * sizeof(std::uint16_t));
  const Scratch<std::int16_t> integers(most_rows * row_integers());
  const Scratch<double> factors(most_rows * tiles_.n_quad_groups());
  const Scratch<float> outlier_products(most_rows * outlier_centroids_.n_products());
  const Scratch<std::uint8_t> tables(most_rows * batch.groups_at_once * group_table_bytes());
  const Scratch<float> scales(most_rows * batch.groups_at_once);
  const Scratch<float> sums(most_rows * n_tiles * kTileRows);
  const Scratch<std::uint8_t> scratch(Workers(parallel).count() * batch.scratch_bytes);
  batch.integers = integers.data();
  batch.factors = factors.data();
  batch.outlier_products = outlier_products.data();
  batch.tables = tables.data();
  batch.scales = scales.data();
  batch.sums = sums.data();
  batch.scratch = scratch.data();

  std::vector<std::size_t> left;
  for (std::size_t row = 0; row < x.rows(); ++row) {
    if (prepare(x.row(row).data(), batch.integers + batch.n_rows * row_integers(),
                batch.factors + batch.n_rows * tiles_.n_quad_groups())) {
      outlier_centroids_.multiply(
          x.row(row).data(),
          batch.outlier_products + batch.n_rows * outlier_centroids_.n_products());
      batch.y_rows[batch.n_rows++] = row;
    } else {
      left.push_back(row);
    }
    if (batch.n_rows == kRowsAtOnce || (row + 1 == x.rows() && batch.n_rows > 0)) {
      multiply_batch(batch, first, y);
      batch.n_rows = 0;
    }
  }
  return left;
}

}  // namespace pqw
