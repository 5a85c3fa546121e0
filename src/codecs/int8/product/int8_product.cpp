// y = x Wᵀ in integers.
//
// Of three ways to do it, measured with one thread on a processor with AVX-512 VNNI: rows of
// weights as they are stored cost 2 to 4 times as much as panels, because every sum has to be added
// up across its vector. oneDNN 2.6 (brgemm), which leaves quantizing and scaling to the caller,
// took 0.5 to 0.7 of the time of all this for weights of 1024 x 1024, as much for 4096 x 4096 with
// 32 rows of x, and 1.2 times as much with 1 row. That is not worth what it brings with it: OpenCL
// to build, memory and primitives per batch size, a thread pool beside ours, no say over
// PQW_KERNEL.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>

#include "codecs/active_kernels.h"
#include "codecs/product/activations.h"
#include "codecs/product/dense_cost.h"
#include "codecs/product/kernel_costs.h"
#include "codecs/product/row_product.h"
#include "core/parallel.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr std::size_t kTilePanels = 4;
constexpr std::size_t kTileRows = kTilePanels * kernels::kPanelRows;
constexpr std::size_t kPlanesAtOnce = 96;     // rows of bytes of x: their sums of a tile stay in L1
constexpr std::size_t kColumnsAtOnce = 1024;  // x in L1, a tile of weights in L2
constexpr double kProductCost = 0.25;         // of two bytes, or of laying one out

std::size_t panels_of(std::size_t rows) {
  return (rows + kernels::kPanelRows - 1) / kernels::kPanelRows;
}

class Int8Rows : public RowProduct {
 public:
  explicit Int8Rows(Int8Weight weight) : RowProduct(weight.matrix()), weight_(std::move(weight)) {}
  void decode_row(std::size_t row, std::span<float> out) const override {
    Int8Codec::decode_rows(weight_, row, {out.data(), 1, out.size()});
  }

 private:
  Int8Weight weight_;
};

PlainWeight decoded(const Int8Weight& weight) {
  std::vector<float> values(weight.values.size());
  Int8Codec::decode_rows(weight, 0, {values.data(), weight.rows(), weight.cols()});
  PlainWeight plain{{weight.shape, DType::kF32}, std::vector<std::byte>(values.size() * 4)};
  from_float(values, plain.dtype, plain.bytes);
  return plain;
}

// y = x Wᵀ. The inputs are quantized on the fly: over a range of x (a row, or the batch),
//   lo = min(0, smallest), hi = max(0, largest), s = (hi - lo) / 255, z = round(-lo / s),
//   q = clamp(round(x / s) + z, 0, 255),   so that |x - s (q - z)| <= s / 2 (and float rounding),
// or with 65535 in place of 255 for inputs of 16 bits, which take two products of bytes. Then the
// products q * value are summed in integers, exactly, and
//   y = s * scale(r) * Σ_c (q[c] - z) (values[r][c] - zero_point(r)), rounded to float.
// The product with the decoded weight in real numbers differs by s / 2 Σ_c |W[r][c]| at most. If
// only few columns have large weights, and x is small there, that may be much of y. So the result
// has the same bits with any instruction set and number of threads, and for a row of x alone as in
// a batch (unless the range is that of the batch). Zeros of x stay exact zeros. If a range holds
// infinity or NaN, its outputs are NaN.
class Int8Product : public Product {
 public:
  // Inputs are quantized to 8 or 16 bits. `dense` multiplies in its place where it is faster, or is
  // null.
  Int8Product(const Int8Weight& weight, unsigned input_bits, std::unique_ptr<const Product> dense);

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;

  // Rounds as decode_rows does.
  void decode_row(std::size_t row, std::span<float> out) const override {
    assert(row < rows() && out.size() == cols());
    const Line* from = panels_.data() + row / kernels::kPanelRows * lines_;
    const std::size_t at = row % kernels::kPanelRows * kernels::kPanelColumns;
    const auto scale = static_cast<float>(scales_[row]);
    const int zero_point = zero_points_.empty() ? 0 : static_cast<int>(zero_points_[row]);
    for (std::size_t c = 0; c < out.size(); ++c) {
      const int value = from[c / kernels::kPanelColumns].bytes[at + c % kernels::kPanelColumns];
      out[c] = scale * static_cast<float>(value - zero_point);
    }
  }

  std::string describe(std::size_t batch) const override {
    if (is_dense(batch, rows())) return dense_->describe(batch);
    return fmt::format("int8, inputs in {} bits", 8 * n_planes_);
  }

 private:
  struct alignas(64) Line {
    std::int8_t bytes[64];
  };
  class Call;

  bool is_dense(std::size_t batch, std::size_t n_rows) const;
  void pack(const Int8Weight& weight);
  const std::int8_t* panel(std::size_t index) const { return panels_[index * lines_].bytes; }

  std::size_t lines_;     // of a panel of 16 rows (kernels/int8_product.h): 4 columns each
  std::size_t n_planes_;  // bytes of an input
  ActivationRange activations_;
  std::vector<Line> panels_;         // [panels][lines]
  std::vector<double> scales_;       // [rows]
  std::vector<double> zero_points_;  // [rows], or none
  std::vector<double> sums_;         // [rows]: Σ_c (value - zero point)
  std::unique_ptr<const Product> dense_;
};

Int8Product::Int8Product(const Int8Weight& weight, unsigned input_bits,
                         std::unique_ptr<const Product> dense)
    : Product(weight.matrix()),
      lines_((cols() + kernels::kPanelColumns - 1) / kernels::kPanelColumns),
      n_planes_(input_bits / 8),
      activations_(weight.activations),
      panels_(panels_of(rows()) * lines_),
      scales_(rows()),
      sums_(rows()),
      dense_(std::move(dense)) {
  assert(input_bits == 8 || input_bits == 16);
  active_kernels();              // an unknown PQW_KERNEL is an error here, not in the first product
  if (dense_) costed_kernels();  // and so are wrong PQW_COSTS
  for (std::size_t r = 0; r < rows(); ++r) scales_[r] = weight.scale(r);
  if (!weight.zero_points.empty()) {
    for (std::size_t r = 0; r < rows(); ++r) zero_points_.push_back(weight.zero_point(r));
  }
  pack(weight);
}

bool Int8Product::is_dense(std::size_t batch, std::size_t n_rows) const {
  if (!dense_) return false;
  constexpr double kInputCycles = 200;  // a row of x
  constexpr double kValueCycles = 1;    // a byte of it, or of a sum
  const kernels::Table& kernels = costed_kernels();
  const auto planes = static_cast<double>(n_planes_);
  const auto rows = static_cast<double>(n_rows), columns = static_cast<double>(cols());
  const double lines = rows / kernels::kPanelRows * static_cast<double>(lines_);
  const double cycles = kInputCycles + planes * ((rows + columns) * kValueCycles +
                                                 lines * kernels.int8.cycles.multiply_per_line);
  return dense_cycles(batch, n_rows, cols(), *kernels.product) <
         static_cast<double>(batch) * cycles;
}

void Int8Product::pack(const Int8Weight& weight) {
  const std::size_t n_columns = cols();
  Workers(rows() * n_columns, kProductCost).for_each(rows(), [&](std::size_t r) {
    const std::int8_t* from = weight.values.data() + r * n_columns;
    Line* to = panels_.data() + r / kernels::kPanelRows * lines_;
    const std::size_t at = r % kernels::kPanelRows * kernels::kPanelColumns;
    for (std::size_t c = 0; c < n_columns; c += kernels::kPanelColumns, ++to) {
      std::memcpy(to->bytes + at, from + c, std::min(kernels::kPanelColumns, n_columns - c));
    }
    std::int64_t sum = 0;
    for (std::size_t c = 0; c < n_columns; ++c) sum += from[c];
    sums_[r] = static_cast<double>(sum);
    if (!zero_points_.empty()) sums_[r] -= static_cast<double>(n_columns) * zero_points_[r];
  });
}

// One product: quantized inputs and where its results go.
class Int8Product::Call {
 public:
  Call(const Int8Product& product, std::size_t first, ConstMatrix x, MutableMatrix y)
      : product_(product),
        first_(first),
        x_(quantize_activations(x, product.activations_, product.n_planes_)),
        y_(y) {}

  // Some rows of x with up to kTilePanels panels.
  void run(std::size_t first_panel, std::size_t n_panels, std::size_t first_input,
           std::size_t n_inputs) const {
    std::int32_t sums[kPlanesAtOnce * kTileRows];
    double totals[kPlanesAtOnce * kTileRows];  // where the columns are too many for int32
    const std::size_t width = n_panels * kernels::kPanelRows;
    const std::size_t n_planes = n_inputs * x_.n_planes;
    const std::size_t n_sums = n_planes * width;
    const std::size_t n_columns = product_.lines_ * kernels::kPanelColumns;
    const bool one_range = n_columns <= kernels::kInt8Columns;
    if (!one_range) std::fill_n(totals, n_sums, 0.0);
    for (std::size_t c = 0; c == 0 || c < n_columns; c += kernels::kInt8Columns) {
      const std::size_t end = std::min(n_columns, c + kernels::kInt8Columns);
      std::fill_n(sums, n_sums, 0);
      for (std::size_t part = c; part < end; part += kColumnsAtOnce) {
        active_kernels().int8.multiply(
            {x_.values.data() + first_input * x_.n_planes * x_.stride + part, n_planes, x_.stride,
             product_.panel(first_panel) + part * kernels::kPanelRows, n_panels,
             product_.lines_ * sizeof(Line), std::min(kColumnsAtOnce, end - part)},
            sums);
      }
      for (std::size_t k = 0; !one_range && k < n_sums; ++k) totals[k] += sums[k];
    }
    for (std::size_t i = 0; i < n_inputs; ++i) {
      const std::size_t row = first_panel * kernels::kPanelRows;
      if (one_range) {
        finish(first_input + i, row, width, sums + i * x_.n_planes * width);
      } else {
        finish(first_input + i, row, width, totals + i * x_.n_planes * width);
      }
    }
  }

 private:
  // Outputs from the sums of products of the weight's rows row .. row+width-1. All numbers are
  // integers until the last line, and below 2^53 for any columns that memory holds.
  template <class Sum>
  void finish(std::size_t i, std::size_t row, std::size_t width, const Sum* sums) const {
    const ActivationScale& scale = x_.rows[i];
    const std::size_t begin = std::max(row, first_);
    const std::size_t end = std::min(row + width, first_ + y_.cols());
    const std::size_t n = end - begin;
    float* to = y_.row(i).data() + (begin - first_);
    if (!scale.finite) {
      std::fill_n(to, n, std::numeric_limits<float>::quiet_NaN());
      return;
    }
    const kernels::Int8Sums<Sum> of_row{
        .low = sums + (begin - row),
        .high = x_.n_planes == 2 ? sums + width + (begin - row) : nullptr,
        .zero_points =
            product_.zero_points_.empty() ? nullptr : product_.zero_points_.data() + begin,
        .row_sums = product_.sums_.data() + begin,
        .scales = product_.scales_.data() + begin,
        .n = n,
        .x_sum = scale.sum,
        .x_zero_point = static_cast<double>(scale.zero_point),
        .x_scale = scale.scale};
    const kernels::Int8RowKernels& rows = *active_kernels().int8.rows;
    if constexpr (std::is_same_v<Sum, double>) {
      rows.scaled_totals_to_floats(of_row, to);
    } else {
      rows.scaled_to_floats(of_row, to);
    }
  }

  const Int8Product& product_;
  std::size_t first_;
  QuantizedActivations x_;
  MutableMatrix y_;
};

void Int8Product::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  if (is_dense(x.rows(), y.cols())) return Product::multiply_once(*dense_, first, x, y);
  const Call call(*this, first, x, y);
  const std::size_t inputs_at_once = kPlanesAtOnce / n_planes_;
  const std::size_t first_panel = first / kernels::kPanelRows;
  const std::size_t n_panels = panels_of(first + y.cols()) - first_panel;
  const std::size_t n_tiles = (n_panels + kTilePanels - 1) / kTilePanels;
  const Workers workers(x.rows() * x.cols() * y.cols(), kProductCost);
  workers.for_each(n_tiles, [&](std::size_t t) {
    const std::size_t tile_panels = std::min(kTilePanels, n_panels - t * kTilePanels);
    for (std::size_t i = 0; i < x.rows(); i += inputs_at_once) {
      call.run(first_panel + t * kTilePanels, tile_panels, i,
               std::min(inputs_at_once, x.rows() - i));
    }
  });
}

}  // namespace

std::unique_ptr<const Product> Int8Codec::make_product(Int8Weight weight,
                                                       const ServeOptions& options) {
  if (options.layout == ServeLayout::kRows) return std::make_unique<Int8Rows>(std::move(weight));
  if (options.precision == Precision::kExact) return pqw::make_product(decoded(weight), options);
  std::unique_ptr<const Product> dense;
  if (options.memory == ServeMemory::kFastest) dense = pqw::make_product(decoded(weight), options);
  return std::make_unique<Int8Product>(weight, options.precision == Precision::kFast ? 8 : 16,
                                       std::move(dense));
}

}  // namespace pqw
