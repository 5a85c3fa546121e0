// Quantizing float weights to 8-bit integers.
#include <algorithm>
#include <cmath>
#include <limits>

#include "codecs/int8/value/fault.h"
#include "codecs/train/fields.h"
#include "codecs/train/gain.h"
#include "core/parallel.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/float_tensor.h"

namespace pqw {
namespace {

constexpr double kWeightCost = 4;  // of looking at a weight, or rounding it

struct Range {
  float lo = 0;
  float hi = 0;
};

Range range_of(std::span<const float> row) {
  Range range;
  for (const float value : row) {
    range.lo = std::min(range.lo, value);
    range.hi = std::max(range.hi, value);
  }
  return range;
}

struct Scale {
  float scale;
  int zero_point;
};

// Rounds to the nearest float, but rounds up to subnormal floats: these are far apart, and with a
// smaller scale the codes would not reach the ends of the range. 0, the scale of a row of zeros,
// becomes the smallest float.
float scale_from(double wanted) {
  const auto scale = static_cast<float>(wanted);
  if (scale >= std::numeric_limits<float>::min() || (scale >= wanted && scale > 0)) return scale;
  return std::nextafter(scale, std::numeric_limits<float>::infinity());
}

Scale scale_of(Range range, Int8Scheme scheme) {
  if (scheme == Int8Scheme::kSymmetric) {
    return {scale_from(static_cast<double>(std::max(-range.lo, range.hi)) / 127), 0};
  }
  const double width = static_cast<double>(range.hi) - range.lo;
  const float scale = scale_from(width / 255);
  const double zero_point = std::nearbyint(-128 - range.lo / static_cast<double>(scale));
  return {scale, static_cast<int>(std::clamp(zero_point, -128.0, 127.0))};
}

// A value next to the limit of its type must not be rounded to infinity.
std::int8_t quantized(float weight, const Scale& s, DType dtype) {
  const double nearest = std::nearbyint(weight / static_cast<double>(s.scale)) + s.zero_point;
  int value = static_cast<int>(std::clamp(nearest, -128.0, 127.0));
  while (overflows(s.scale * static_cast<float>(value - s.zero_point), dtype)) {
    value += value > s.zero_point ? -1 : 1;
  }
  return static_cast<std::int8_t>(value);
}

std::vector<Range> ranges_of(ConstMatrix w, Granularity per) {
  std::vector<Range> ranges(w.rows());
  const Workers workers(w.rows() * w.cols(), kWeightCost);
  workers.for_each(w.rows(), [&](std::size_t r) { ranges[r] = range_of(w.row(r)); });
  if (per == Granularity::kRow) return ranges;
  Range all;
  for (const Range& range : ranges) {
    all = {std::min(all.lo, range.lo), std::max(all.hi, range.hi)};
  }
  return {all};
}

// The weight without its values; its scales are not set yet.
Int8Weight unquantized(const TensorInfo& tensor, const Int8Options& options) {
  Int8Weight weight{
      {tensor.shape, tensor.dtype, Int8Options::fields().text(options) + gain_text({})}};
  weight.activations = options.activations;
  const std::size_t n_scales = options.per == Granularity::kRow ? weight.rows() : 1;
  weight.scales.resize(n_scales);
  if (options.scheme == Int8Scheme::kAffine) weight.zero_points.resize(n_scales);
  return weight;
}

// Multiplies each scale by the gain of its rows. No value leaves the range of the weight's type.
void apply_gain(Gain asked, std::span<const GainSums> rows, Int8Weight& weight) {
  const GainSums all = sum_of(rows);
  AppliedGain applied;
  double product = 0;
  for (std::size_t i = 0; i < weight.scales.size(); ++i) {
    float& scale = weight.scales[i];
    const GainSums& sums = weight.scales.size() == 1 ? all : rows[i];
    const int zero_point = weight.zero_point(i);
    const int most =
        weight.zero_points.empty() ? 127 : std::max(127 - zero_point, 128 + zero_point);
    const AppliedGain choice =
        choose_gain(sums, asked, largest_of(weight.dtype) / (double{scale} * most));
    scale = static_cast<float>(choice.factor * scale);
    applied.limit = std::max(applied.limit, choice.limit);
    product += choice.factor * sums.product;
  }
  if (all.product > 0) applied.factor = product / all.product;
  weight.options.resize(weight.options.size() - gain_text({}).size());
  weight.options += gain_text(applied);
}

}  // namespace

std::optional<WeightSize> Int8Codec::size_by_shape(const TensorInfo& tensor,
                                                   const Int8Options& options) {
  const Int8Weight weight = unquantized(tensor, options);
  return WeightSize{to_record(weight, tensor.name), summary(weight), parameter_count(weight), 0,
                    ""};
}

Int8Weight Int8Codec::encode(const FloatTensor& tensor, const Int8Options& options,
                             const EncodeContext&) {
  Int8Weight weight = unquantized(tensor.info, options);
  weight.values.resize(weight.rows() * weight.cols());
  const ConstMatrix w = tensor.matrix();
  const std::vector<Range> ranges = ranges_of(w, options.per);
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    const Scale scale = scale_of(ranges[i], options.scheme);
    weight.scales[i] = scale.scale;
    if (!weight.zero_points.empty()) {
      weight.zero_points[i] = static_cast<std::int8_t>(scale.zero_point);
    }
  }
  std::vector<GainSums> sums(w.rows());
  Workers(w.rows() * w.cols(), kWeightCost).for_each(w.rows(), [&](std::size_t r) {
    const Scale scale{weight.scale(r), weight.zero_point(r)};
    std::int8_t* to = weight.values.data() + r * w.cols();
    for (std::size_t c = 0; c < w.cols(); ++c) {
      to[c] = quantized(w(r, c), scale, weight.dtype);
      const double original = w(r, c), v = double{scale.scale} * (to[c] - scale.zero_point);
      sums[r].add({original * original, original * v, v * v});
    }
  });
  apply_gain(options.gain, sums, weight);
  return weight;
}

}  // namespace pqw
