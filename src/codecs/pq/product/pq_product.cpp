// A weight made ready for many multiplications.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cmath>

#include "codecs/active_kernels.h"
#include "codecs/pq/product/batch_lookup_product.h"
#include "codecs/pq/product/cost_model.h"
#include "codecs/pq/product/direct_product.h"
#include "codecs/pq/product/float_product.h"
#include "codecs/pq/product/lookup_product.h"
#include "codecs/pq/product/table_error.h"
#include "pqw/codecs/kernels.h"
#include "pqw/codecs/pq_lookup.h"

namespace pqw {
namespace {

constexpr std::size_t kParallelWork = 1 << 17;  // lookups that pay for threads

// Shares of the codes that may be left out of integer tables for the rest to be exact enough.
constexpr double kLongShares[] = {0, 0.001, 0.003, 0.01, 0.02, 0.04, 0.08};

// Whether the rounding of integer tables averages out as `Precision` promises: over a few
// positions, or with products of single numbers, which are far from normal, it does not.
bool has_integer_tables(const PqWeight& weight) {
  return code_width(weight.n_centroids) != CodeWidth::kLarge && weight.block_size >= 2 &&
         weight.positions() >= 16 && weight.rows() <= LongCentroids::kMostRows;
}

}  // namespace

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::kExact:
      return "exact";
    case Precision::kHigh:
      return "high";
    case Precision::kFast:
      break;
  }
  return "fast";
}

std::optional<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    if (name == to_string(precision)) return precision;
  }
  return std::nullopt;
}

double documented_error(Precision precision) {
  switch (precision) {
    case Precision::kExact:
      return 1e-5;
    case Precision::kHigh:
      return 1e-4;
    case Precision::kFast:
      break;
  }
  return 1.5e-2;
}

std::string_view to_string(ServeMethod method) {
  switch (method) {
    case ServeMethod::kAuto:
      return "auto";
    case ServeMethod::kLookup:
      return "lookup";
    case ServeMethod::kBatchLookup:
      return "batch lookup";
    case ServeMethod::kDecode:
      return "decode";
    case ServeMethod::kDecodeBf16:
      break;
  }
  return "decode bf16";
}

// What is held of a weight. The products refer to `tiles`, so that it must not move.
struct PqLookup::Impl {
  Impl(const PqWeight& weight, const ServeOptions& wanted)
      : matrix(matrix_shape(weight.shape)),
        options(wanted),
        kernels(active_kernels()),
        tiles(weight, kernels.lookup->interleaved_narrow) {
    if (matrix.cols == 0) return;
    floats.emplace(weight, tiles, *kernels.product);
    direct.emplace(weight, tiles, *kernels.product, DirectProduct::Operand::kFloat);
    if (options.precision == Precision::kFast && kernels.product->direct_bfloat16 != nullptr &&
        DirectProduct::holds_bfloat16(weight.codebooks)) {
      bfloat16.emplace(weight, tiles, *kernels.product, DirectProduct::Operand::kBfloat16);
    }
    if (options.precision != Precision::kExact && has_integer_tables(weight)) {
      // The error of one row of y spreads by 1 / sqrt(2 rows) of itself: twice that has room.
      const double margin = 1 + std::sqrt(2 / static_cast<double>(matrix.rows));
      for (const double share : kLongShares) {
        integers.emplace(weight, tiles, options.precision == Precision::kHigh, share,
                         *kernels.lookup);
        const double error = table_error(*integers, *direct, matrix);
        if (margin * error <= documented_error(options.precision)) break;
        integers.reset();
      }
      // Finer than the tables for a row at a time, which have 8 bits.
      if (integers && options.precision == Precision::kFast && tiles.width() == CodeWidth::kWide &&
          weight.block_size <= BatchLookupProduct::kLargestBlock) {
        batch_integers.emplace(weight, tiles, integers->long_centroids(), *kernels.lookup);
      }
    }
    block_size = weight.block_size;
    n_centroids = weight.n_centroids;
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ServeMethod method(std::size_t batch, std::size_t n_rows) const;
  void multiply(ServeMethod method, std::size_t first, ConstMatrix x, MutableMatrix y) const;
  void multiply_exactly(const std::vector<std::size_t>& rows, std::size_t first, ConstMatrix x,
                        MutableMatrix y, bool parallel) const;

  MatrixShape matrix;
  ServeOptions options;
  const kernels::Table& kernels;
  CodeTiles tiles;
  std::size_t block_size = 1;
  std::size_t n_centroids = 1;
  std::optional<FloatProduct> floats;     // when there are columns
  std::optional<DirectProduct> direct;    // likewise
  std::optional<DirectProduct> bfloat16;  // when the precision and the processor allow it
  std::optional<LookupProduct> integers;  // when the precision and the codes allow it
  std::optional<BatchLookupProduct> batch_integers;
};

PqLookup::PqLookup(const PqWeight& weight, const ServeOptions& options)
    : impl_(std::make_shared<Impl>(weight, options)) {}

std::size_t PqLookup::rows() const { return impl_->matrix.rows; }
std::size_t PqLookup::cols() const { return impl_->matrix.cols; }

ServeMethod PqLookup::Impl::method(std::size_t batch, std::size_t n_rows) const {
  if (options.method == ServeMethod::kLookup) {
    return integers ? ServeMethod::kLookup : ServeMethod::kBatchLookup;
  }
  if (options.method == ServeMethod::kBatchLookup) return options.method;
  if (options.method == ServeMethod::kDecodeBf16 && bfloat16) return options.method;
  if (options.method != ServeMethod::kAuto || matrix.cols == 0) return ServeMethod::kDecode;
  const ProductSize size{.batch = batch,
                         .n_rows = n_rows,
                         .n_columns = matrix.cols,
                         .block_size = block_size,
                         .n_centroids = n_centroids,
                         .width = tiles.width()};
  ServeMethod best = ServeMethod::kDecode;
  double least = direct_cycles(size, *kernels.product);
  const auto consider = [&](ServeMethod candidate, double cycles) {
    if (cycles >= least) return;
    best = candidate;
    least = cycles;
  };
  if (bfloat16) consider(ServeMethod::kDecodeBf16, bfloat16_cycles(size, *kernels.product));
  consider(ServeMethod::kBatchLookup, batch_integers ? batch_lookup_cycles(size, *batch_integers)
                                                     : batch_lookup_cycles(size, *kernels.product));
  if (integers) {
    consider(ServeMethod::kLookup,
             lookup_cycles(size, integers->kernel(), integers->long_centroids()));
  }
  return best;
}

void PqLookup::Impl::multiply(ServeMethod chosen, std::size_t first, ConstMatrix x,
                              MutableMatrix y) const {
  const bool parallel = x.rows() * y.cols() * tiles.n_units() >= kParallelWork;
  if (chosen == ServeMethod::kLookup) {
    multiply_exactly(integers->multiply(first, x, y, parallel), first, x, y, parallel);
  } else if (chosen == ServeMethod::kBatchLookup && batch_integers) {
    multiply_exactly(batch_integers->multiply(first, x, y, parallel), first, x, y, parallel);
  } else if (chosen == ServeMethod::kBatchLookup) {
    floats->multiply(first, x, y, parallel);
  } else if (chosen == ServeMethod::kDecodeBf16) {
    multiply_exactly(bfloat16->multiply(first, x, y, parallel), first, x, y, parallel);
  } else {
    direct->multiply(first, x, y, parallel);
  }
}

void PqLookup::Impl::multiply_exactly(const std::vector<std::size_t>& rows, std::size_t first,
                                      ConstMatrix x, MutableMatrix y, bool parallel) const {
  for (const std::size_t row : rows) {
    floats->multiply(first, {x.row(row).data(), 1, x.cols()}, {y.row(row).data(), 1, y.cols()},
                     parallel);
  }
}

void PqLookup::multiply(ConstMatrix x, MutableMatrix y) const {
  assert(y.cols() == rows());
  multiply_rows(0, x, y);
}

void PqLookup::multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  assert(x.cols() == cols() && x.rows() == y.rows() && first + y.cols() <= rows());
  if (x.rows() == 0 || y.cols() == 0) return;
  if (cols() == 0) {
    for (std::size_t b = 0; b < y.rows(); ++b) std::ranges::fill(y.row(b), 0.0f);
    return;
  }
  impl_->multiply(impl_->method(x.rows(), y.cols()), first, x, y);
}

ServeMethod PqLookup::method(std::size_t batch) const { return impl_->method(batch, rows()); }

std::string PqLookup::describe(std::size_t batch) const {
  const ServeMethod chosen = method(batch);
  std::string tables = chosen == ServeMethod::kDecodeBf16 ? "bfloat16" : "float32";
  if (chosen == ServeMethod::kLookup) {
    tables = impl_->options.precision == Precision::kHigh ? "16-bit tables" : "8-bit tables";
  } else if (chosen == ServeMethod::kBatchLookup) {
    tables = impl_->batch_integers ? "11-bit tables" : "float32 tables";
  }
  return fmt::format("{}, {}, {}", to_string(chosen), tables, kernel_name());
}

}  // namespace pqw
