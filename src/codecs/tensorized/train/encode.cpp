// Encoding weights as tensorized ones.
#include "pqw/codecs/encode.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "codecs/float_range.h"
#include "codecs/tensorized/train/decompose.h"
#include "codecs/tensorized/value/layout.h"
#include "codecs/train/factor_gain.h"
#include "codecs/train/fields.h"
#include "pqw/codecs/tensorized_encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using tensorized::Effort;
using tensorized::Matrix;
using tensorized::Tensor;

using FactorValues = std::vector<std::vector<double>>;  // of factor_shapes

MatrixShape matrix_of(std::span<const FloatTensor> layers) {
  if (layers.empty()) throw Error(ErrorCode::kInvalidArgument, "no layers to tensorize");
  for (const FloatTensor& layer : layers) {
    if (layer.info.shape == layers[0].info.shape && layer.info.dtype == layers[0].info.dtype) {
      continue;
    }
    throw Error(ErrorCode::kInvalidArgument,
                "tensor '" + layer.info.name + "': shape " + to_string(layer.info.shape) + " of " +
                    std::string(to_string(layer.info.dtype)) + ", expected " +
                    to_string(layers[0].info.shape) + " of " +
                    std::string(to_string(layers[0].info.dtype)) + " as '" + layers[0].info.name +
                    "' has, to be joint");
  }
  return matrix_shape(layers[0].info.shape);
}

// The exponent of the power of two that scales all layers (safe_exponent).
int common_exponent(std::span<const FloatTensor> layers) {
  float largest = 0;
  for (const FloatTensor& layer : layers) {
    largest = std::max(largest, largest_magnitude(layer.values));
  }
  return safe_exponent({&largest, 1});
}

// Layout: [layers][padded rows][padded columns], padded with zeros; times 2^exponent.
Tensor padded(std::span<const FloatTensor> layers, const TensorLayout& layout, int exponent) {
  const MatrixShape matrix = matrix_of(layers);
  const std::size_t rows = tensorized::product(layout.out_modes);
  const std::size_t cols = tensorized::product(layout.in_modes);
  Tensor tensor{tensorized::all_modes(layout), std::vector<double>(layers.size() * rows * cols)};
  for (std::size_t l = 0; l < layers.size(); ++l) {
    for (std::size_t r = 0; r < matrix.rows; ++r) {
      std::copy_n(layers[l].values.begin() + static_cast<std::ptrdiff_t>(r * matrix.cols),
                  matrix.cols,
                  tensor.values.begin() + static_cast<std::ptrdiff_t>((l * rows + r) * cols));
    }
  }
  if (exponent != 0) {
    for (double& value : tensor.values) value = std::ldexp(value, exponent);
  }
  return tensor;
}

FactorValues values_of(std::vector<Matrix> matrices) {
  FactorValues values;
  for (Matrix& matrix : matrices) values.push_back(std::move(matrix.values));
  return values;
}

// (i_1 ... i_n, j_1 ... j_n) to (i_1 j_1, ..., i_n j_n).
Tensor paired(const Tensor& tensor, std::size_t n) {
  std::vector<std::size_t> order;
  for (std::size_t k = 0; k < n; ++k) {
    order.push_back(k);
    order.push_back(n + k);
  }
  Tensor result = tensorized::permuted(tensor, order);
  Shape shape;
  for (std::size_t k = 0; k < n; ++k) {
    shape.push_back(result.shape[2 * k] * result.shape[2 * k + 1]);
  }
  result.shape = std::move(shape);
  return result;
}

FactorValues decompose(Tensor tensor, const TensorLayout& layout, const Effort& effort) {
  const std::size_t n_row_modes = tensor.shape.size() - layout.in_modes.size();
  switch (layout.form) {
    case TensorForm::kCp:
      return values_of(tensorized::decompose_cp(tensor, n_row_modes, layout.ranks[0], effort));
    case TensorForm::kTucker: {
      tensorized::Tucker tucker = tensorized::decompose_tucker(tensor, layout.ranks, effort);
      FactorValues values = values_of(std::move(tucker.factors));
      values.push_back(std::move(tucker.core.values));
      return values;
    }
    case TensorForm::kTt:
      return tensorized::decompose_train(std::move(tensor), layout.ranks).cores;
    case TensorForm::kTtm:
      return tensorized::decompose_train(paired(tensor, n_row_modes), layout.ranks).cores;
  }
  return {};
}

// Gives all factors the same mean square: a decomposition may put the whole scale into one factor,
// which could then leave the range of a 16-bit type. Divides their product by 2^exponent.
void balance(FactorValues& factors, int exponent) {
  double log_sum = -exponent * std::numbers::ln2;
  std::vector<double> sizes;
  for (const std::vector<double>& factor : factors) {
    double sum = 0;
    for (const double value : factor) sum += value * value;
    if (sum == 0) return;
    sizes.push_back(std::sqrt(sum / static_cast<double>(factor.size())));
    log_sum += std::log(sizes.back());
  }
  const double mean = std::exp(log_sum / static_cast<double>(factors.size()));
  for (std::size_t k = 0; k < factors.size(); ++k) {
    for (double& value : factors[k]) value *= mean / sizes[k];
  }
}

std::size_t restarts_of(const TensorizedOptions& options, const TensorLayout& layout) {
  if (options.restarts > 0) return options.restarts;
  constexpr std::size_t kSmallRank = 512;
  return layout.ranks.empty() || layout.ranks[0] < kSmallRank ? 3 : 1;
}

FloatTensor factor_tensor(const TensorInfo& info, std::size_t k, MatrixShape shape) {
  return {{info.name + " factor " + std::to_string(k), info.dtype, {shape.rows, shape.cols}},
          std::vector<float>(shape.rows * shape.cols)};
}

TensorizedWeight weight_of(const TensorInfo& info, const TensorLayout& layout,
                           const TensorizedOptions& options, std::vector<Weight> factors) {
  TensorizedWeight weight;
  weight.shape = info.shape;
  weight.dtype = info.dtype;
  weight.layout = layout;
  weight.factors = std::make_shared<const std::vector<Weight>>(std::move(factors));
  weight.options = TensorizedOptions::fields().text(options);
  return weight;
}

// Applies the gain that the product needs to one of the factors.
void limit_gain(std::span<const FloatTensor> layers, std::vector<TensorizedWeight>& weights) {
  std::vector<Weight> factors = *weights[0].factors;
  const auto quantized = std::ranges::find_if(
      factors, [](const Weight& factor) { return std::holds_alternative<PqWeight>(factor); });
  if (quantized == factors.end()) return;
  GainSums sums;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    add_product(
        layers[l].matrix(),
        [&](std::size_t first, MutableMatrix rows) { decode_rows(weights[l], first, rows); }, sums);
  }
  *quantized = with_gain(std::move(*quantized), product_gain(sums));
  const auto shared = std::make_shared<const std::vector<Weight>>(std::move(factors));
  for (TensorizedWeight& weight : weights) weight.factors = shared;
}

}  // namespace

std::vector<TensorizedWeight> encode_joint(std::span<const FloatTensor> layers,
                                           const TensorizedOptions& options, EmObserver* observer) {
  const TensorLayout layout = make_layout(matrix_of(layers), layers.size(), options);
  const int exponent = common_exponent(layers);
  FactorValues values = decompose(
      padded(layers, layout, exponent), layout,
      {options.iterations, restarts_of(options, layout), options.tolerance, options.seed});
  balance(values, exponent);
  const std::vector<MatrixShape> shapes = factor_shapes(layout);
  std::vector<Weight> factors;
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    FloatTensor factor = factor_tensor(layers[0].info, k, shapes[k]);
    std::ranges::transform(values[k], factor.values.begin(), saturated);
    factors.push_back(encode(std::move(factor), *options.factors, observer));
  }
  std::vector<TensorizedWeight> weights(
      layers.size(), weight_of(layers[0].info, layout, options, std::move(factors)));
  for (std::size_t l = 0; l < layers.size(); ++l) weights[l].layer = l;
  limit_gain(layers, weights);
  return weights;
}

TensorizedWeight plan_joint(const TensorInfo& layer, std::size_t n_layers,
                            const TensorizedOptions& options) {
  const TensorLayout layout = make_layout(matrix_shape(layer.shape), n_layers, options);
  const std::vector<MatrixShape> shapes = factor_shapes(layout);
  std::vector<Weight> factors;
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    // All different, as the values of factors are: their number may count for the size.
    FloatTensor factor = factor_tensor(layer, k, shapes[k]);
    for (std::size_t i = 0; i < factor.values.size(); ++i) {
      factor.values[i] = 1 + static_cast<float>(i) * 0x1p-23f;
    }
    factors.push_back(plan_weight(std::move(factor), *options.factors));
  }
  return weight_of(layer, layout, options, std::move(factors));
}

void resolve(TensorizedOptions& options, std::span<const std::size_t> shape) {
  TensorizedOptions modes_only = options;  // how many ranks joint layers need depends on the others
  if (!options.joint.empty()) modes_only.rank = TensorRank();
  const TensorLayout layout = make_layout(matrix_shape(shape), 1, modes_only);
  options.out_modes = layout.out_modes;
  options.in_modes = layout.in_modes;
}

FloatTensor prepare(FloatTensor tensor, const TensorizedOptions&) { return tensor; }

TensorizedWeight plan_weight(const FloatTensor& tensor, const TensorizedOptions& options) {
  return plan_joint(tensor.info, 1, options);
}

TensorizedWeight encode(const FloatTensor& tensor, const TensorizedOptions& options,
                        EmObserver* observer) {
  return encode_joint({&tensor, 1}, options, observer).front();
}

std::string remarks(const TensorizedWeight& weight, const TensorizedOptions& options) {
  const double dense = static_cast<double>(element_count(weight.shape)) *
                       static_cast<double>(weight.layout.n_layers);
  const bool fits = static_cast<double>(parameter_count(weight)) <= options.rank.fraction * dense;
  std::vector<const Weight*> factors;
  for (const Weight& factor : *weight.factors) factors.push_back(&factor);
  const std::string gains = remark_on_gains(factors);
  if (!options.rank.sizes.empty() || fits) return gains;
  return "even rank 1 has more parameters than asked for" + (gains.empty() ? "" : "; " + gains);
}

}  // namespace pqw
