// Products of product-quantized weights: which method a batch gets.
#include "codecs/pq/product/pq_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <iterator>

#include "codecs/pq/product/additive_product.h"
#include "codecs/pq/product/cost_model.h"
#include "codecs/pq/product/pq_rows.h"
#include "codecs/pq/product/table_error.h"
#include "codecs/product/dense_cost.h"
#include "codecs/product/kernel_costs.h"
#include "core/parallel.h"
#include "pqw/codecs/plain.h"

namespace pqw {

using kernels::kTileRows;

namespace {

constexpr double kLookupCost = 2;         // in multiply-adds
constexpr std::size_t kMostBatch = 4096;  // for which a dense product may be the fastest

// Shares of the codes that may be left out of integer tables for the rest to be exact enough.
constexpr double kOutlierShares[] = {0, 0.001, 0.003, 0.01, 0.02, 0.04, 0.08};

// Whether the rounding of integer tables averages out as `Precision` promises: over a few
// positions, or with products of single numbers, which are far from normal, it does not.
bool has_integer_tables(const PqWeight& weight) {
  return code_width(weight.n_centroids) != CodeWidth::kLarge && weight.block_size >= 2 &&
         weight.positions() >= 16 && weight.rows() <= OutlierCentroids::kMostRows;
}

}  // namespace

std::unique_ptr<const Product> PqCodec::make_product(PqWeight weight, const ServeOptions& options) {
  if (weight.n_additive > 1) return make_additive_product(std::move(weight), options);
  if (options.layout == ServeLayout::kRows) return make_pq_rows(std::move(weight));
  return std::make_unique<PqProduct>(weight, options);
}

PqProduct::PqProduct(const PqWeight& weight, const ServeOptions& options)
    : Product(weight.matrix()),
      options_(options),
      row_scales_(weight.row_scales),
      kernels_(costed_kernels()),
      block_size_(weight.block_size),
      n_centroids_(weight.n_centroids),
      tiles_(weight, kernels_.lookup->interleaved_narrow) {
  if (cols() == 0) return;
  batch_lookup_.emplace(weight, tiles_, *kernels_.product, *kernels_.lookup);
  decode_.emplace(weight, tiles_, *kernels_.product, DecodeProduct::Operand::kFloat);
  if (options.precision != Precision::kExact && rows() > 0) add_rounded_products(weight);
  if (options.memory == ServeMemory::kFastest) add_dense_product(weight);
}

void PqProduct::add_dense_product(const PqWeight& weight) {
  PlainWeight decoded{{weight.shape, DType::kF32}, {}};
  decoded.bytes.resize(rows() * cols() * sizeof(float));
  PqCodec::decode_rows(weight, 0, {reinterpret_cast<float*>(decoded.bytes.data()), rows(), cols()});
  dense_ = PlainCodec::make_product(std::move(decoded), {.memory = ServeMemory::kFastest});
  if (options_.method == ServeMethod::kDense) return;
  for (std::size_t batch = 1; batch <= kMostBatch; batch *= 2) {
    if (method(batch) == ServeMethod::kDense) return;
  }
  dense_.reset();
}

// Whether a product in integers or bfloat16 is as exact as its precision promises.
class PqProduct::Exactness {
 public:
  Exactness(Precision precision, const TableErrorMeter& meter)
      : most_(documented_error(precision)), meter_(meter) {}

  // A single row of x, whose error is `error`.
  bool of_single(double error) const {
    return meter_.cancellation() * error <= kSingleRowError * most_;
  }
  template <class Product>
  bool of(const Product& product) const {
    constexpr double kRoom = 1.05;  // the mean is measured on a few rows of x
    const TableError error = meter_.measure(product);
    return kRoom * error.mean <= most_ && of_single(error.single);
  }

 private:
  double most_;
  const TableErrorMeter& meter_;
};

void PqProduct::add_rounded_products(const PqWeight& weight) {
  const bool fast = options_.precision == Precision::kFast;
  const bool has_bfloat16 = fast && kernels_.product->multiply_decoded_bfloat16 != nullptr &&
                            DecodeProduct::holds_bfloat16(weight.codebooks);
  const bool has_int8 = fast && DecodeInt8Product::holds(weight);
  if (!has_bfloat16 && !has_int8 && !has_integer_tables(weight)) return;
  const TableErrorMeter meter(weight, *decode_);
  const Exactness exactness(options_.precision, meter);
  constexpr double kBfloat16Error = 0x1p-8;  // of a product of two values, each rounded
  if (has_bfloat16 && exactness.of_single(kBfloat16Error)) {
    decode_bf16_.emplace(weight, tiles_, *kernels_.product, DecodeProduct::Operand::kBfloat16);
  }
  if (has_int8) {
    decode_int8_.emplace(weight, tiles_, kernels_,
                         kSingleRowError * documented_error(options_.precision));
    if (!exactness.of(*decode_int8_)) decode_int8_.reset();
  }
  if (has_integer_tables(weight)) add_integer_tables(weight, exactness);
}

void PqProduct::add_integer_tables(const PqWeight& weight, const Exactness& exactness) {
  for (const double share : kOutlierShares) {
    lookup_.emplace(weight, tiles_, options_.precision == Precision::kHigh, share,
                    *kernels_.lookup);
    if (exactness.of(*lookup_)) break;
    lookup_.reset();
  }
  // Finer than the tables for a row at a time, which have 8 bits.
  if (lookup_ && options_.precision == Precision::kFast && tiles_.width() == CodeWidth::kWide &&
      weight.block_size <= BatchLookupProduct::kLargestBlock) {
    batch_lookup_integers_.emplace(weight, tiles_, lookup_->outlier_centroids(), *kernels_.lookup);
    if (!exactness.of(*batch_lookup_integers_)) batch_lookup_integers_.reset();
  }
}

ServeMethod PqProduct::method(std::size_t batch, std::size_t n_rows) const {
  if (options_.method == ServeMethod::kLookup) {
    return lookup_ ? ServeMethod::kLookup : ServeMethod::kBatchLookup;
  }
  if (options_.method == ServeMethod::kBatchLookup) return options_.method;
  if (options_.method == ServeMethod::kDense && dense_) return options_.method;
  if (options_.method == ServeMethod::kDecodeBf16 && decode_bf16_) return options_.method;
  if (options_.method == ServeMethod::kDecodeInt8 && decode_int8_) return options_.method;
  if (options_.method != ServeMethod::kAuto || cols() == 0) return ServeMethod::kDecode;
  const ProductSize size{.batch = batch,
                         .n_rows = n_rows,
                         .n_columns = cols(),
                         .block_size = block_size_,
                         .n_centroids = n_centroids_,
                         .width = tiles_.width()};
  ServeMethod best = ServeMethod::kDecode;
  double least = decode_cycles(size, *kernels_.product);
  const auto consider = [&](ServeMethod candidate, double cycles) {
    if (cycles >= least) return;
    best = candidate;
    least = cycles;
  };
  if (decode_bf16_) {
    consider(ServeMethod::kDecodeBf16, decode_bf16_cycles(size, *kernels_.product));
  }
  if (decode_int8_) {
    consider(ServeMethod::kDecodeInt8, decode_int8_cycles(size, kernels_.int8));
  }
  if (dense_) consider(ServeMethod::kDense, dense_cycles(batch, n_rows, cols(), *kernels_.product));
  consider(ServeMethod::kBatchLookup, batch_lookup_integers_
                                          ? batch_lookup_cycles(size, *batch_lookup_integers_)
                                          : batch_lookup_->cycles(size));
  if (lookup_) {
    consider(ServeMethod::kLookup,
             lookup_cycles(size, lookup_->kernel(), lookup_->outlier_centroids()));
  }
  return best;
}

void PqProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  if (cols() == 0) {
    for (std::size_t b = 0; b < y.rows(); ++b) std::ranges::fill(y.row(b), 0.0f);
    return;
  }
  const ServeMethod chosen = method(x.rows(), y.cols());
  if (chosen == ServeMethod::kDense) return Product::multiply_once(*dense_, first, x, y);
  const bool parallel = Workers(x.rows() * y.cols() * tiles_.n_units(), kLookupCost).count() > 1;
  std::vector<std::size_t> left;  // rows of x that need the exact product
  if (chosen == ServeMethod::kLookup) {
    left = lookup_->multiply(first, x, y, parallel);
  } else if (chosen == ServeMethod::kBatchLookup && batch_lookup_integers_) {
    left = batch_lookup_integers_->multiply(first, x, y, parallel);
  } else if (chosen == ServeMethod::kBatchLookup) {
    batch_lookup_->multiply(first, x, y, parallel);
  } else if (chosen == ServeMethod::kDecodeBf16) {
    left = decode_bf16_->multiply(first, x, y, parallel);
  } else if (chosen == ServeMethod::kDecodeInt8) {
    left = decode_int8_->multiply(first, x, y, parallel);
  } else {
    decode_->multiply(first, x, y, parallel);
  }
  if (!left.empty()) multiply_exactly(left, first, x, y, parallel);
  if (row_scales_.empty()) return;
  const float* scales = row_scales_.data() + first;
  Workers(x.rows() * y.cols(), 1).for_each(y.rows(), [&](std::size_t b) {
    for (std::size_t r = 0; r < y.cols(); ++r) y(b, r) *= scales[r];
  });
}

// The same bits for a row alone as for many.
void PqProduct::multiply_exactly(std::span<const std::size_t> rows, std::size_t first,
                                 ConstMatrix x, MutableMatrix y, bool parallel) const {
  std::vector<float> some_x, some_y(rows.size() * y.cols());
  for (const std::size_t row : rows) std::ranges::copy(x.row(row), std::back_inserter(some_x));
  const MutableMatrix result{some_y.data(), rows.size(), y.cols()};
  batch_lookup_->multiply(first, {some_x.data(), rows.size(), x.cols()}, result, parallel);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::ranges::copy(result.row(i), y.row(rows[i]).begin());
  }
}

void PqProduct::decode_row(std::size_t row, std::span<float> out) const {
  assert(row < rows() && out.size() == cols());
  constexpr std::size_t kMostPositions = 2 * kernels::kQuadBytes;
  std::uint16_t codes[kMostPositions * kTileRows];
  const std::size_t step = tiles_.positions_per_quad();
  for (std::size_t p = 0; p * block_size_ < out.size(); ++p) {
    if (p % step == 0) tiles_.unpack_positions(row / kTileRows, p, step, codes);
    const std::uint16_t code = codes[p % step * kTileRows + row % kTileRows];
    const auto to = out.subspan(p * block_size_);
    std::copy_n(decode_->centroid(p, code), std::min(block_size_, to.size()), to.data());
  }
  if (row_scales_.empty()) return;
  for (float& value : out) value *= row_scales_[row];
}

std::string PqProduct::describe(std::size_t batch) const {
  const ServeMethod chosen = method(batch);
  std::string tables = "float32";
  if (chosen == ServeMethod::kDecodeBf16) tables = "bfloat16";
  if (chosen == ServeMethod::kDecodeInt8) tables = "int8";
  if (chosen == ServeMethod::kLookup) {
    tables = options_.precision == Precision::kHigh ? "16-bit tables" : "8-bit tables";
  } else if (chosen == ServeMethod::kBatchLookup) {
    tables = batch_lookup_integers_ ? "11-bit tables" : "float32 tables";
  }
  return fmt::format("{}, {}, {}", to_string(chosen), tables, kernels_.name);
}

}  // namespace pqw
