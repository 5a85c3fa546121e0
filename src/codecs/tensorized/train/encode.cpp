// Encoding weights as tensorized ones.
#include "pqw/codecs/encode.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>

#include "codecs/float_range.h"
#include "codecs/parts.h"
#include "codecs/tensorized/train/decompose.h"
#include "codecs/tensorized/value/layout.h"
#include "codecs/tensorized/value/outline.h"
#include "codecs/train/factor_gain.h"
#include "codecs/train/fields.h"
#include "core/subject.h"

namespace pqw {
namespace {

using tensorized::Effort;
using tensorized::Matrix;
using tensorized::Tensor;

using FactorValues = std::vector<std::vector<double>>;  // of factor_shapes

MatrixShape matrix_of(std::span<const FloatTensor> layers) {
  if (layers.empty()) throw invalid_argument("no layers to tensorize");
  for (const FloatTensor& layer : layers) {
    if (layer.info.shape == layers[0].info.shape && layer.info.dtype == layers[0].info.dtype) {
      continue;
    }
    throw tensor_subject(layer.info.name)
        .error("shape {} of {}, expected {} of {} as {} has, for joint layers",
               to_string(layer.info.shape), to_string(layer.info.dtype),
               to_string(layers[0].info.shape), to_string(layers[0].info.dtype),
               quoted("tensor", layers[0].info.name));
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

TensorInfo factor_info(const TensorInfo& info, std::size_t k, MatrixShape shape) {
  return {info.name + " factor " + std::to_string(k), info.dtype, {shape.rows, shape.cols}};
}

// Without factors.
TensorizedWeight weight_of(const TensorInfo& info, const TensorLayout& layout,
                           const TensorizedOptions& options) {
  return {{info.shape, info.dtype,
           TensorizedOptions::fields().text(options) +
               (options.gain == Gain::kNone ? "" : gain_text({}))},
          layout};
}

GainSums sums_of(std::span<const FloatTensor> layers,
                 const std::vector<TensorizedWeight>& weights) {
  GainSums sums;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    add_product(layers[l].matrix(), sums, [&](std::size_t first, MutableMatrix rows) {
      TensorizedCodec::decode_rows(weights[l], first, rows);
    });
  }
  return sums;
}

// Applies the gain that the product needs to one of the factors.
void limit_gain(std::span<const FloatTensor> layers, std::vector<TensorizedWeight>& weights) {
  std::vector<Weight> factors = *weights[0].factors;
  const auto quantized = std::ranges::find_if(
      factors, [](const Weight& factor) { return std::holds_alternative<PqWeight>(factor); });
  if (quantized == factors.end()) return;
  *quantized = with_gain(std::move(*quantized), product_gain(sums_of(layers, weights)));
  const auto shared = std::make_shared<const std::vector<Weight>>(std::move(factors));
  for (TensorizedWeight& weight : weights) weight.factors = shared;
}

std::string remark_on_rank(const TensorizedWeight& weight, const TensorizedOptions& options) {
  const double dense = static_cast<double>(element_count(weight.shape)) *
                       static_cast<double>(weight.layout.n_layers);
  const auto n_parameters = static_cast<double>(TensorizedCodec::parameter_count(weight));
  const bool fits = !options.rank.sizes.empty() || n_parameters <= options.rank.fraction * dense;
  return fits ? "" : "even rank 1 has more parameters than asked for";
}

}  // namespace

std::vector<TensorizedWeight> encode_joint(std::span<const FloatTensor> layers,
                                           const TensorizedOptions& options,
                                           const EncodeContext& context) {
  const TensorLayout layout = make_layout(matrix_of(layers), layers.size(), options);
  const int exponent = common_exponent(layers);
  FactorValues values = decompose(
      padded(layers, layout, exponent), layout,
      {options.iterations, restarts_of(options, layout), options.tolerance, options.seed});
  balance(values, exponent);
  const std::vector<MatrixShape> shapes = factor_shapes(layout);
  const auto encoded = [&](std::size_t k) {
    FloatTensor factor{factor_info(layers[0].info, k, shapes[k]), {}};
    std::ranges::transform(values[k], std::back_inserter(factor.values), saturated);
    // Inputs are of the weight, not of factors.
    return Encoding(std::move(factor), *options.factors).encode({.observer = context.observer});
  };
  std::vector<Weight> factors;
  for (std::size_t k = 0; k < shapes.size(); ++k) factors.push_back(encoded(k));
  TensorizedWeight first = weight_of(layers[0].info, layout, options);
  first.factors = std::make_shared<const std::vector<Weight>>(factors);
  std::vector<TensorizedWeight> weights(layers.size(), first);
  for (std::size_t l = 0; l < layers.size(); ++l) weights[l].layer = l;
  if (options.gain != Gain::kNone) {
    const AppliedGain gain = choose_gain(sums_of(layers, weights), options.gain);
    for (double& value : values[0]) value *= gain.factor;
    factors[0] = encoded(0);
    const auto shared = std::make_shared<const std::vector<Weight>>(std::move(factors));
    for (TensorizedWeight& weight : weights) {
      weight.factors = shared;
      weight.options.resize(weight.options.size() - gain_text({}).size());
      weight.options += gain_text(gain);
    }
  }
  limit_gain(layers, weights);
  return weights;
}

std::optional<WeightSize> joint_size(const TensorInfo& layer, std::size_t n_layers,
                                     const TensorizedOptions& options) {
  const TensorLayout layout = make_layout(matrix_shape(layer.shape), n_layers, options);
  const TensorizedWeight weight = weight_of(layer, layout, options);
  WeightSize size;
  size.record = tensorized_outline(weight, layer.name);
  std::vector<std::string> codecs;
  for (const MatrixShape& shape : factor_shapes(layout)) {
    const std::size_t k = codecs.size();
    auto factor = size_by_shape(factor_info(layer, k, shape), *options.factors);
    if (!factor) return std::nullopt;
    codecs.push_back(factor->record.codec);
    add_part(size.record, factor_name(k), std::move(factor->record));
  }
  size.summary = tensorized_summary(weight, codecs);
  size.n_parameters = TensorizedCodec::parameter_count(weight);
  size.remarks = remark_on_rank(weight, options);
  return size;
}

void TensorizedCodec::resolve(TensorizedOptions& options, std::span<const std::size_t> shape) {
  TensorizedOptions modes_only = options;  // how many ranks joint layers need depends on the others
  if (!options.joint.empty()) modes_only.rank = TensorRank();
  const TensorLayout layout = make_layout(matrix_shape(shape), 1, modes_only);
  options.out_modes = layout.out_modes;
  options.in_modes = layout.in_modes;
}

// The first sweep of alternating least squares is already closer than zeros are.
bool TensorizedCodec::is_sure(const TensorizedOptions& options) {
  const bool fitted = options.form != TensorForm::kCp || options.iterations > 0;
  return fitted && std::holds_alternative<PlainOptions>(*options.factors);
}

bool TensorizedCodec::is_placeholder(const TensorizedOptions& options) {
  return pqw::is_placeholder(*options.factors);
}

std::optional<WeightSize> TensorizedCodec::size_by_shape(const TensorInfo& tensor,
                                                         const TensorizedOptions& options) {
  return joint_size(tensor, 1, options);
}

TensorizedWeight TensorizedCodec::encode(const FloatTensor& prepared,
                                         const TensorizedOptions& options,
                                         const EncodeContext& context) {
  return encode_joint({&prepared, 1}, options, context).front();
}

std::string TensorizedCodec::remarks(const TensorizedWeight& weight,
                                     const TensorizedOptions& options) {
  std::vector<const pqw::Weight*> factors;
  for (const pqw::Weight& factor : *weight.factors) factors.push_back(&factor);
  const std::string rank = remark_on_rank(weight, options), gains = remark_on_gains(factors);
  return rank + (rank.empty() || gains.empty() ? "" : "; ") + gains;
}

}  // namespace pqw
