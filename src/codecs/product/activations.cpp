// Quantizing inputs.
#include "codecs/product/activations.h"

#include <algorithm>
#include <cmath>

#include "codecs/active_kernels.h"
#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kStrideUnit = 64;
// Rows side by side in the caches: at a distance of a page they would share a few cache lines.
std::size_t stride_of(std::size_t n_columns) {
  constexpr std::size_t kShared = 1024;
  const std::size_t stride = (n_columns + kStrideUnit - 1) / kStrideUnit * kStrideUnit;
  return stride % kShared == 0 ? stride + kStrideUnit : stride;
}

void widen(kernels::RowRange& all, const kernels::RowRange& row) {
  all.lo = std::min(all.lo, row.lo);
  all.hi = std::max(all.hi, row.hi);
  all.probe += row.probe;
}

ActivationScale scale_of(const kernels::RowRange& range, int n_steps) {
  if (!std::isnan(range.probe)) return scale_of_range(range.lo, range.hi, n_steps);
  ActivationScale scale;
  scale.finite = false;
  return scale;
}

kernels::Rounding rounding_of(const ActivationScale& scale, float most) {
  // For tiny scales the inverse would leave the range of float.
  const float unit = scale.scale < 0x1p-100 ? 0x1p100f : 1.0f;
  const auto least = static_cast<float>(-scale.zero_point);
  return {.unit = unit,
          .inverse = static_cast<float>(1 / (scale.scale * unit)),
          .least = least,
          .most = least + most,
          .zero_point = scale.zero_point};
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
  result.stride = stride_of(x.cols());
  result.values.resize(x.rows() * n_planes * result.stride);
  result.rows.resize(x.rows());
  const kernels::Int8RowKernels& kernels = *active_kernels().int8.rows;
  std::vector<kernels::RowRange> ranges(x.rows());
  const Workers workers(x.rows() * x.cols(), 1);
  const auto range_row = [&](std::size_t i) {
    ranges[i] = kernels.range(x.row(i).data(), x.cols());
  };
  const auto quantize_row = [&](std::size_t i, const kernels::RowRange& of) {
    ActivationScale& scale = result.rows[i];
    scale = scale_of(of, n_planes == 1 ? 255 : 65535);
    scale.squares = ranges[i].squares;
    if (!scale.finite) return;
    const float* from = x.row(i).data();
    std::uint8_t* low = result.values.data() + i * n_planes * result.stride;
    scale.sum = static_cast<double>(
        n_planes == 1 ? kernels.to_bytes(from, x.cols(), rounding_of(scale, 255), low)
                      : kernels.to_words(from, x.cols(), rounding_of(scale, 65535), low,
                                         low + result.stride));
  };
  if (range == ActivationRange::kRow) {
    workers.for_each(x.rows(), [&](std::size_t i) {
      range_row(i);
      quantize_row(i, ranges[i]);
    });
    return result;
  }
  workers.for_each(x.rows(), range_row);
  kernels::RowRange all;
  for (const kernels::RowRange& row : ranges) widen(all, row);
  workers.for_each(x.rows(), [&](std::size_t i) { quantize_row(i, all); });
  return result;
}

}  // namespace pqw
