// Quantizing inputs. The loops have a form that compilers vectorise.
#include "codecs/int8/product/activations.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kStrideUnit = 64;
constexpr std::size_t kLanes = 16;

struct Range {
  float lo = 0;
  float hi = 0;
  float probe = 0;  // NaN when there was a value that is not finite

  void add(float value) {
    lo = value < lo ? value : lo;
    hi = value > hi ? value : hi;
    probe += value * 0.0f;
  }
  void add(const Range& other) {
    lo = std::min(lo, other.lo);
    hi = std::max(hi, other.hi);
    probe += other.probe;
  }
};

Range range_of(std::span<const float> row) {
  Range lanes[kLanes];
  std::size_t c = 0;
  for (; c + kLanes <= row.size(); c += kLanes) {
    for (std::size_t i = 0; i < kLanes; ++i) lanes[i].add(row[c + i]);
  }
  for (; c < row.size(); ++c) lanes[0].add(row[c]);
  for (std::size_t i = 1; i < kLanes; ++i) lanes[0].add(lanes[i]);
  return lanes[0];
}

ActivationScale scale_of(const Range& range, int n_steps) {
  if (!std::isnan(range.probe)) return scale_of_range(range.lo, range.hi, n_steps);
  ActivationScale scale;
  scale.finite = false;
  return scale;
}

template <std::size_t kPlanes>
void quantize_row(std::span<const float> row, ActivationScale& scale, std::uint8_t* low,
                  std::uint8_t* high) {
  // For tiny scales the inverse would leave the range of float.
  const float unit = scale.scale < 0x1p-100 ? 0x1p100f : 1.0f;
  const auto inverse = static_cast<float>(1 / (scale.scale * unit));
  const auto least = static_cast<float>(-scale.zero_point);
  const float most = least + (kPlanes == 1 ? 255.0f : 65535.0f);
  // Adding 1.5 * 2^23 leaves no bits behind the point: the sum is rounded to nearest, ties to even,
  // and its lowest bits are the integer.
  constexpr float kRound = 0x1.8p23f;
  const std::int32_t zero = std::bit_cast<std::int32_t>(kRound) - scale.zero_point;
  for (std::size_t c = 0; c < row.size(); ++c) {
    float value = row[c] * unit * inverse;
    value = value < least ? least : value;
    value = value > most ? most : value;
    const std::int32_t q = std::bit_cast<std::int32_t>(value + kRound) - zero;
    low[c] = static_cast<std::uint8_t>(q);
    if constexpr (kPlanes == 2) high[c] = static_cast<std::uint8_t>(q >> 8);
  }
  std::uint64_t sum = 0;
  for (std::size_t c = 0; c < row.size(); ++c) sum += low[c];
  if constexpr (kPlanes == 2) {
    for (std::size_t c = 0; c < row.size(); ++c) sum += std::uint64_t{high[c]} * 256;
  }
  scale.sum = static_cast<double>(sum);
}

}  // namespace

ActivationScale scale_of_range(float lo, float hi, int n_steps) {
  ActivationScale scale;
  const double low = std::min(lo, 0.0f);
  const double range = std::max(hi, 0.0f) - low;
  if (range == 0) return scale;
  scale.scale = range / n_steps;
  scale.zero_point = static_cast<int>(std::nearbyint(-low / scale.scale));
  return scale;
}

QuantizedActivations quantize_activations(ConstMatrix x, ActivationRange range,
                                          std::size_t n_planes) {
  QuantizedActivations result;
  result.n_planes = n_planes;
  result.stride = (x.cols() + kStrideUnit - 1) / kStrideUnit * kStrideUnit;
  result.values.resize(x.rows() * n_planes * result.stride);
  result.rows.resize(x.rows());
  std::vector<Range> ranges(x.rows());
  const Workers workers(x.rows() * x.cols(), 4);
  workers.for_each(x.rows(), [&](std::size_t i) { ranges[i] = range_of(x.row(i)); });
  if (range == ActivationRange::kBatch) {
    Range all;
    for (const Range& row : ranges) all.add(row);
    std::fill(ranges.begin(), ranges.end(), all);
  }
  workers.for_each(x.rows(), [&](std::size_t i) {
    ActivationScale& scale = result.rows[i];
    scale = scale_of(ranges[i], n_planes == 1 ? 255 : 65535);
    if (!scale.finite) return;
    std::uint8_t* low = result.values.data() + i * n_planes * result.stride;
    if (n_planes == 1) {
      quantize_row<1>(x.row(i), scale, low, nullptr);
    } else {
      quantize_row<2>(x.row(i), scale, low, low + result.stride);
    }
  });
  return result;
}

}  // namespace pqw
