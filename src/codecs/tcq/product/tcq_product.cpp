// y = x Wᵀ with trellis-coded weights: the product of int8, a list of integers beyond 8 bits, and
// the product with the means of columns, which is the same for all rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "codecs/product/row_product.h"
#include "codecs/tcq/value/weight.h"
#include "core/parallel.h"
#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

constexpr int kMostByte = 127;
constexpr std::size_t kBytesPerWide = 64;  // if there are more wide integers, floats are faster

class TcqRows : public RowProduct {
 public:
  explicit TcqRows(TcqWeight weight) : RowProduct(weight.matrix()), weight_(std::move(weight)) {}
  void decode_row(std::size_t row, std::span<float> out) const override {
    tcq::decode_row(weight_, row, out);
  }

 private:
  TcqWeight weight_;
};

PlainWeight decoded(const TcqWeight& weight) {
  std::vector<float> values(weight.values.size());
  TcqCodec::decode_rows(weight, 0, {values.data(), weight.rows(), weight.cols()});
  PlainWeight plain{{weight.shape, DType::kF32}, std::vector<std::byte>(values.size() * 4)};
  from_float(values, plain.dtype, plain.bytes);
  return plain;
}

// The part of an integer that 8 bits cannot hold.
struct Wide {
  std::size_t col;
  int rest;
};

// A scale of int8 is above 0; the finest steps may not be.
float scale_of(float step) { return std::max(step, std::numeric_limits<float>::denorm_min()); }

int clamped(int value) { return std::clamp(value, -kMostByte, kMostByte); }

std::size_t count_wide(const TcqWeight& weight) {
  return static_cast<std::size_t>(std::ranges::count_if(
      weight.values, [](std::int16_t value) { return clamped(value) != value; }));
}

class TcqProduct : public Product {
 public:
  TcqProduct(const TcqWeight& weight, const ServeOptions& options)
      : Product(weight.matrix()), first_wide_(rows() + 1), steps_(rows()), means_(weight.means) {
    Int8Weight bytes{{weight.shape, weight.dtype}};
    bytes.values.reserve(weight.values.size());
    for (std::size_t r = 0; r < rows(); ++r) {
      steps_[r] = weight.row_step(r);
      bytes.scales.push_back(scale_of(steps_[r]));
      for (std::size_t c = 0; c < cols(); ++c) {
        const int value = weight.values[r * cols() + c], byte = clamped(value);
        bytes.values.push_back(static_cast<std::int8_t>(byte));
        if (byte != value) wide_.push_back({c, value - byte});
      }
      first_wide_[r + 1] = wide_.size();
    }
    bytes_ = Int8Codec::make_product(std::move(bytes), options);
  }

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    bytes_->multiply_rows(first, x, y);
    if (wide_.empty() && means_.empty()) return;
    Workers(x.rows() * (x.cols() + y.cols()), 1).for_each(x.rows(), [&](std::size_t b) {
      const std::span<const float> in = x.row(b);
      double shared = 0;
      for (std::size_t c = 0; c < means_.size(); ++c) shared += double{means_[c]} * in[c];
      for (std::size_t r = 0; r < y.cols(); ++r) {
        double sum = 0;
        for (std::size_t i = first_wide_[first + r]; i < first_wide_[first + r + 1]; ++i) {
          sum += double{in[wide_[i].col]} * wide_[i].rest;
        }
        y(b, r) = static_cast<float>(y(b, r) + sum * steps_[first + r] + shared);
      }
    });
  }

  void decode_row(std::size_t row, std::span<float> out) const override {
    bytes_->decode_row(row, out);
    // The integer is exact: the quotient differs from it by rounding only.
    for (float& value : out) value = std::nearbyint(value / scale_of(steps_[row]));
    for (std::size_t i = first_wide_[row]; i < first_wide_[row + 1]; ++i) {
      out[wide_[i].col] += static_cast<float>(wide_[i].rest);
    }
    for (std::size_t c = 0; c < out.size(); ++c) {
      out[c] = tcq::decoded(out[c], steps_[row], means_.empty() ? 0 : means_[c]);
    }
  }

  std::string describe(std::size_t batch) const override {
    return bytes_->describe(batch) + (wide_.empty() ? "" : fmt::format(", {} wider", wide_.size()));
  }

 private:
  std::unique_ptr<const Product> bytes_;
  std::vector<Wide> wide_;               // row by row
  std::vector<std::size_t> first_wide_;  // [rows + 1]
  std::vector<float> steps_;             // [rows]
  std::vector<float> means_;             // [cols] or none
};

}  // namespace

std::unique_ptr<const Product> TcqCodec::make_product(TcqWeight weight,
                                                      const ServeOptions& options) {
  if (options.layout == ServeLayout::kRows) return std::make_unique<TcqRows>(std::move(weight));
  const bool is_wide = count_wide(weight) * kBytesPerWide > weight.values.size();
  if (options.precision == Precision::kExact || is_wide) {
    return pqw::make_product(decoded(weight), options);
  }
  return std::make_unique<TcqProduct>(weight, options);
}

}  // namespace pqw
