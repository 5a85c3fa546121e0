// Products of tensorized weights: through the factors, or with rows as they are built.
#include "codecs/tensorized/product/tensorized_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "codecs/tensorized/product/contraction.h"
#include "codecs/tensorized/value/layout.h"
#include "codecs/tensorized/value/row_builder.h"
#include "pqw/codecs/weight.h"

namespace pqw {
namespace {

using tensorized::Factors;

void multiply_factorized(const Factors& factors, std::size_t first, ConstMatrix x,
                         MutableMatrix y) {
  const std::size_t step = tensorized::rows_of_first_digit(factors.layout);
  const std::size_t first_digit = first / step;
  const std::size_t last_digit = (first + y.cols() - 1) / step;
  Factors part;
  const bool is_part =
      tensorized::product(factors.layout.out_modes) / step > last_digit + 1 || first_digit > 0;
  if (is_part) {
    part = factors;
    tensorized::keep_first_digits(part, first_digit, last_digit - first_digit + 1);
  }
  const Factors& used = is_part ? part : factors;
  const std::size_t surplus = first - first_digit * step;
  if (surplus == 0) return tensorized::contract(used, x, y);
  std::vector<float> rows(x.rows() * (surplus + y.cols()));
  const MutableMatrix wide(rows.data(), x.rows(), surplus + y.cols());
  tensorized::contract(used, x, wide);
  for (std::size_t b = 0; b < x.rows(); ++b) {
    std::ranges::copy(wide.columns(surplus, y.cols()).row(b), y.row(b).begin());
  }
}

void multiply_reconstructed(const Factors& factors, std::size_t first, ConstMatrix x,
                            MutableMatrix y) {
  tensorized::for_each_row(factors, first, y.cols(), x.cols(), [&](std::size_t r, const auto& row) {
    for (std::size_t b = 0; b < x.rows(); ++b) {
      y(b, r) = factors.kernels->dot(x.row(b).data(), row.data(), x.cols());
    }
  });
}

}  // namespace

std::unique_ptr<const Product> TensorizedCodec::make_product(TensorizedWeight weight,
                                                             const ServeOptions&) {
  return std::make_unique<TensorizedProduct>(std::move(weight));
}

TensorizedProduct::TensorizedProduct(TensorizedWeight weight)
    : Product(weight.matrix()),
      weight_(std::move(weight)),
      factors_(tensorized::decode_factors(weight_)) {
  weight_.factors.reset();
}

void TensorizedProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  if (forward_for(weight_, x.rows()) == TensorForward::kFactorized) {
    multiply_factorized(factors_, first, x, y);
  } else {
    multiply_reconstructed(factors_, first, x, y);
  }
}

void TensorizedProduct::decode_row(std::size_t row, std::span<float> out) const {
  assert(row < rows() && out.size() == cols());
  tensorized::SafeRowBuilder builder(factors_);
  std::copy_n(builder.build(row).begin(), out.size(), out.begin());
}

std::string TensorizedProduct::describe(std::size_t batch) const {
  const TensorizedCost cost = multiply_cost(weight_, batch);
  const double dense =
      2.0 * static_cast<double>(batch) * static_cast<double>(rows()) * static_cast<double>(cols());
  const bool factorized = forward_for(weight_, batch) == TensorForward::kFactorized;
  return fmt::format("{}, {:.2f} of the operations of a dense product",
                     factorized ? "factorized" : "reconstructed",
                     (factorized ? cost.factorized : cost.reconstructed) / dense);
}

TensorizedCost multiply_cost(const TensorizedWeight& weight, std::size_t batch) {
  TensorLayout layer = weight.layout;
  if (layer.n_layers > 1) {  // one of them: a mode of 1
    layer.out_modes.insert(layer.out_modes.begin(), 1);
    layer.n_layers = 1;
  }
  const MatrixShape matrix = weight.matrix();
  const double n_weights = static_cast<double>(matrix.rows) * static_cast<double>(matrix.cols);
  const auto n = static_cast<double>(batch);
  return {.factorized = n * tensorized::contract_cost(layer),
          .reconstructed = tensorized::build_cost(layer) + 2 * n * n_weights};
}

TensorForward forward_for(const TensorizedWeight& weight, std::size_t batch) {
  if (weight.forward != TensorForward::kCheaper) return weight.forward;
  const TensorizedCost cost = multiply_cost(weight, batch);
  return cost.factorized <= cost.reconstructed ? TensorForward::kFactorized
                                               : TensorForward::kReconstructed;
}

}  // namespace pqw
