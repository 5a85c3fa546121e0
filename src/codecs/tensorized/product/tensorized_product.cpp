// Decoding tensorized weights and multiplying with them.
#include "pqw/codecs/tensorized_product.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <optional>

#include "codecs/tensorized/product/contraction.h"
#include "codecs/tensorized/value/layout.h"
#include "codecs/tensorized/value/row_builder.h"
#include "core/region_errors.h"
#include "pqw/codecs/weight.h"

namespace pqw {
namespace {

using tensorized::Factors;
using tensorized::SafeRowBuilder;

constexpr std::size_t kParallelWork = 1 << 14;  // weights that pay for threads

// Calls use(i, row) for the rows first .. first+n-1, by several threads.
template <class Use>
void for_each_row(const Factors& factors, std::size_t first, std::size_t n, std::size_t n_columns,
                  const Use& use) {
  RegionErrors errors;
#pragma omp parallel if (n * n_columns >= kParallelWork)
  {
    std::optional<SafeRowBuilder> builder;
    errors.run([&] { builder.emplace(factors); });
    // Neighbouring rows to the same thread: they share digits.
#pragma omp for schedule(static)
    for (std::size_t i = 0; i < n; ++i) {
      errors.run([&] {
        if (builder) use(i, builder->build(first + i));
      });
    }
  }
  errors.rethrow();
}

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
  for_each_row(factors, first, y.cols(), x.cols(), [&](std::size_t r, const auto& row) {
    for (std::size_t b = 0; b < x.rows(); ++b) {
      y(b, r) = factors.kernels->dot(x.row(b).data(), row.data(), x.cols());
    }
  });
}

}  // namespace

void decode(const TensorizedWeight& weight, MutableMatrix out) { decode_rows(weight, 0, out); }

void decode_rows(const TensorizedWeight& weight, std::size_t first, MutableMatrix out) {
  assert(out.cols() == matrix_shape(weight.shape).cols);
  assert(first + out.rows() <= matrix_shape(weight.shape).rows);
  const Factors factors = tensorized::decode_factors(weight);
  for_each_row(factors, first, out.rows(), out.cols(), [&](std::size_t r, const auto& row) {
    std::copy_n(row.begin(), out.cols(), out.row(r).begin());
  });
}

struct TensorizedProduct::Impl {
  TensorizedWeight weight;  // without its factors
  Factors factors;
};

TensorizedProduct::TensorizedProduct(const TensorizedWeight& weight) {
  auto impl = std::make_shared<Impl>(Impl{weight, tensorized::decode_factors(weight)});
  impl->weight.factors.reset();
  impl_ = std::move(impl);
}

void TensorizedProduct::multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  assert(x.cols() == matrix_shape(impl_->weight.shape).cols && x.rows() == y.rows());
  assert(first + y.cols() <= matrix_shape(impl_->weight.shape).rows);
  if (y.cols() == 0 || x.rows() == 0) return;
  if (forward_for(impl_->weight, x.rows()) == TensorForward::kFactorized) {
    multiply_factorized(impl_->factors, first, x, y);
  } else {
    multiply_reconstructed(impl_->factors, first, x, y);
  }
}

std::string TensorizedProduct::describe(std::size_t batch) const {
  const TensorizedCost cost = multiply_cost(impl_->weight, batch);
  const MatrixShape matrix = matrix_shape(impl_->weight.shape);
  const double dense = 2.0 * static_cast<double>(batch) * static_cast<double>(matrix.rows) *
                       static_cast<double>(matrix.cols);
  const bool factorized = forward_for(impl_->weight, batch) == TensorForward::kFactorized;
  return fmt::format("{}, {:.2f} of the operations of a dense product",
                     factorized ? "factorized" : "reconstructed",
                     (factorized ? cost.factorized : cost.reconstructed) / dense);
}

void multiply(const TensorizedWeight& weight, ConstMatrix x, MutableMatrix y) {
  multiply_rows(weight, 0, x, y);
}

void multiply_rows(const TensorizedWeight& weight, std::size_t first, ConstMatrix x,
                   MutableMatrix y) {
  TensorizedProduct(weight).multiply_rows(first, x, y);
}

TensorizedCost multiply_cost(const TensorizedWeight& weight, std::size_t batch) {
  TensorLayout layer = weight.layout;
  if (layer.n_layers > 1) {  // one of them: a mode of 1
    layer.out_modes.insert(layer.out_modes.begin(), 1);
    layer.n_layers = 1;
  }
  const MatrixShape matrix = matrix_shape(weight.shape);
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
