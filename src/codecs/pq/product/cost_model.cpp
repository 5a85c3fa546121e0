// The cost of a product by each method.
#include "codecs/pq/product/cost_model.h"

#include <algorithm>

namespace pqw {
namespace {

// Cycles beside those of the kernels, fitted to the times of all methods for the shapes of
// scripts/bench choice.
constexpr double kQuantizeCycles = 4;      // a value of x to an integer
constexpr double kPairCycles = 2.8;        // a value of x into a panel of pairs
constexpr double kColumnCycles = 0.25;     // an operand of a panel, besides its products
constexpr double kPairColumnCycles = 0.1;  // the same of bfloat16
constexpr double kEntryCycles = 1;         // a vector of a table of floats
constexpr double kUnpackCycles = 0.8;      // a code
constexpr double kSumOfEntriesCycles = 8;  // a vector of a table of sums, to the L2 cache
constexpr double kFarEntries = 1.2;        // times: looking up in float tables in the L2 cache
constexpr double kFarTables = 2;           // times: building tables in the L2 cache
constexpr double kFarSums = 3.5;           // times: adding sums of integers in the L2 cache
constexpr double kByteCycles = 0.4;        // a value of x to a byte
constexpr double kByteCodeCycles = 0.2;    // a code to a byte
constexpr double kWordLineCycles = 14;     // codes of two bytes to a line of bytes
constexpr double kOutlierCodeCycles = 3;   // a code of an outlier

// A product of x and W, to y: from the sums of lookups, of panels, of bfloat16 panels, of batch
// lookups, of float tables and of bytes.
constexpr double kLookupSumCycles = 1.1, kPanelSumCycles = 1.3, kPairSumCycles = 3;
constexpr double kBatchSumCycles = 4.3, kFloatSumCycles = 2.5, kByteSumCycles = 1;

constexpr double kRowCycles = 120;      // a row of x, for its scales
constexpr double kByteRowCycles = 160;  // the same for bytes
constexpr double kCallCycles = 350;     // a product

double up(std::size_t n, std::size_t step) { return static_cast<double>((n + step - 1) / step); }

struct Counts {
  explicit Counts(const ProductSize& size)
      : batch(static_cast<double>(size.batch)),
        tiles(up(size.n_rows, kernels::kTileRows)),
        rows(tiles * kernels::kTileRows),
        columns(static_cast<double>(size.n_columns)),
        positions(up(size.n_columns, size.block_size)),
        units(size.width == CodeWidth::kNarrow ? positions / 2 : positions),
        centroids(static_cast<double>(size.n_centroids)) {}

  double batch, tiles, rows, columns, positions, units, centroids;
};

double vectors(const ProductSize& size, const kernels::ProductKernels& kernels) {
  return up(size.batch, kernels.lanes);
}

// Bringing operands and codes to the products of panels.
double panel_cycles(const ProductSize& size, const kernels::ProductKernels& kernels,
                    double column_cycles) {
  const Counts n(size);
  const double panels = up(size.batch, kernels.lanes * kernels.most_vectors);
  return kCallCycles + panels * n.rows * (n.columns * column_cycles + n.positions * kUnpackCycles);
}

// Table entries of floats that are sums of two.
double pairs(const ProductSize& size) {
  const Counts n(size);
  return size.width == CodeWidth::kNarrow
             ? n.units * n.centroids * n.centroids * kSumOfEntriesCycles
             : 0;
}

// Of at most a vector of rows of x, side by side.
double float_lanes_cycles(const ProductSize& size, const kernels::ProductKernels& kernels) {
  const Counts n(size);
  const double build =
      n.centroids * (n.columns * kernels.cycles.build_per_vector + n.positions * kEntryCycles);
  return build + pairs(size) + n.units * n.rows * kernels.cycles.sweep_per_code * kFarEntries +
         n.batch * n.rows * kFloatSumCycles;
}

// The same of a row of x at a time.
double float_rows_cycles(const ProductSize& size, const kernels::ProductKernels& kernels,
                         const kernels::FloatLookupKernel* kernel) {
  const Counts n(size);
  const double build = n.centroids * n.columns * kernels.cycles.build_per_vector + pairs(size);
  const double arrange =
      kernel == nullptr ? 0 : n.units * kernels::kWideCentroids * kernel->cycles.arrange_per_entry;
  const double sweep = kernel == nullptr
                           ? n.rows * (kernels.cycles.sweep_row_per_code + kUnpackCycles)
                           : n.tiles * kernel->cycles.sweep_per_tile_byte;
  return n.batch * (kRowCycles + build / static_cast<double>(kernels.lanes) + arrange +
                    n.units * sweep + n.rows * kFloatSumCycles);
}

}  // namespace

double lookup_cycles(const ProductSize& size, const kernels::LookupKernel& kernel,
                     const OutlierCentroids& outlier_centroids) {
  const Counts n(size);
  const double entries =
      size.width == CodeWidth::kNarrow ? kernels::kNarrowCentroids : kernels::kWideCentroids;
  const double entry_cycles =
      kernel.cycles.build_per_entry * (1 + static_cast<double>(size.block_size) / 8) / 2;
  return kCallCycles +
         n.batch *
             (kRowCycles + n.columns * kQuantizeCycles + n.positions * entries * entry_cycles +
              n.units * n.tiles * kernel.cycles.sweep_per_tile_byte + n.rows * kLookupSumCycles +
              static_cast<double>(outlier_centroids.n_products() * size.block_size) +
              static_cast<double>(outlier_centroids.n_codes()) * kOutlierCodeCycles);
}

double batch_lookup_cycles(const ProductSize& size, const BatchLookupProduct& product) {
  const Counts n(size);
  double cycles = kCallCycles + n.batch * n.rows * kBatchSumCycles;
  for (std::size_t left = size.batch; left > 0;) {
    const kernels::BatchLookupKernel& kernel = product.kernel(left);
    const auto vectors = static_cast<double>(kernel.rows / kernel.vector_words);
    const double groups = up(size.n_columns, size.block_size * kernels::kBatchHeadroom);
    cycles +=
        n.columns / 2 * n.centroids * vectors * kernel.cycles.build_per_vector_pair * kFarTables +
        n.units * n.rows * kernel.cycles.sweep_per_code +
        groups * n.rows * kernel.cycles.flush_per_row * kFarSums;
    left -= std::min(left, kernel.rows);
  }
  return cycles;
}

double float_lookup_cycles(const ProductSize& size, const kernels::ProductKernels& kernels,
                           const kernels::FloatLookupKernel* row_kernel) {
  double cycles = kCallCycles;
  for (std::size_t left = size.batch; left > 0;) {
    ProductSize part = size;
    part.batch = std::min(left, kernels.lanes);
    cycles +=
        std::min(float_lanes_cycles(part, kernels), float_rows_cycles(part, kernels, row_kernel));
    left -= part.batch;
  }
  return cycles;
}

bool is_faster_by_row(const ProductSize& size, const kernels::ProductKernels& kernels,
                      const kernels::FloatLookupKernel* row_kernel) {
  return float_rows_cycles(size, kernels, row_kernel) < float_lanes_cycles(size, kernels);
}

double decode_cycles(const ProductSize& size, const kernels::ProductKernels& kernels) {
  const Counts n(size);
  return panel_cycles(size, kernels, kColumnCycles) +
         vectors(size, kernels) * static_cast<double>(size.n_rows) * n.columns *
             kernels.cycles.decoded_per_vector +
         n.batch * n.rows * kPanelSumCycles;
}

double decode_bf16_cycles(const ProductSize& size, const kernels::ProductKernels& kernels) {
  const Counts n(size);
  const double pairs = n.positions * static_cast<double>((size.block_size + 1) / 2);
  return panel_cycles(size, kernels, kPairColumnCycles) +
         vectors(size, kernels) * n.rows * pairs * kernels.cycles.bfloat16_per_vector +
         n.batch * (n.columns * kPairCycles + n.rows * kPairSumCycles);
}

double decode_int8_cycles(const ProductSize& size, const kernels::Int8Kernels& kernels) {
  const Counts n(size);
  const double lines = n.rows / kernels::kPanelRows * n.columns / kernels::kPanelColumns;
  const double decoded = up(size.batch, DecodeInt8Product::kMostRows);
  const double line_cycles =
      size.width == CodeWidth::kLarge ? kWordLineCycles : kernels.cycles.decode_per_line;
  return kCallCycles +
         n.batch * (kByteRowCycles + n.columns * kByteCycles + n.rows * kByteSumCycles +
                    lines * kernels.cycles.multiply_per_line) +
         decoded * (lines * line_cycles + n.positions * n.rows * kByteCodeCycles);
}

}  // namespace pqw
