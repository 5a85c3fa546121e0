// Products of weights with additive codebooks.
#include "codecs/pq/product/additive_product.h"

#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "codecs/pq/value/additive.h"

namespace pqw {
namespace {

class AdditiveProduct : public Product {
 public:
  AdditiveProduct(PqWeight weight, const ServeOptions& options)
      : Product(weight.matrix()),
        part_(weight.positions() * weight.block_size),
        row_scales_(weight.row_scales),
        product_(PqCodec::make_product(side_by_side(std::move(weight)), options)) {}

  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    const std::size_t width = product_->cols();
    std::vector<float> repeated(x.rows() * width);
    for (std::size_t b = 0; b < x.rows(); ++b) {
      for (std::size_t column = 0; column < width; column += part_) {
        std::ranges::copy(x.row(b), &repeated[b * width + column]);
      }
    }
    product_->multiply_rows(first, {repeated.data(), x.rows(), width}, y);
    if (row_scales_.empty()) return;
    for (std::size_t b = 0; b < y.rows(); ++b) {
      for (std::size_t r = 0; r < y.cols(); ++r) y(b, r) *= row_scales_[first + r];
    }
  }

  void decode_row(std::size_t row, std::span<float> out) const override {
    assert(row < rows() && out.size() == cols());
    std::vector<float> parts(product_->cols());
    product_->decode_row(row, parts);
    std::copy_n(parts.data(), out.size(), out.data());
    for (std::size_t first = part_; first < parts.size(); first += part_) {
      for (std::size_t c = 0; c < out.size(); ++c) out[c] += parts[first + c];
    }
    if (row_scales_.empty()) return;
    for (float& value : out) value *= row_scales_[row];
  }

  std::string describe(std::size_t batch) const override { return product_->describe(batch); }

 private:
  std::size_t part_;               // columns of a codebook, padding included
  std::vector<float> row_scales_;  // as in PqWeight; the product computes without them
  std::unique_ptr<const Product> product_;
};

}  // namespace

std::unique_ptr<const Product> make_additive_product(PqWeight weight, const ServeOptions& options) {
  return std::make_unique<AdditiveProduct>(std::move(weight), options);
}

}  // namespace pqw
