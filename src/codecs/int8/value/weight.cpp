// Weights in 8-bit integers: checks and decoding.
#include <fmt/format.h>

#include <cassert>
#include <cmath>

#include "codecs/int8/value/fault.h"
#include "core/parallel.h"
#include "core/subject.h"

namespace pqw {
namespace {

float decoded(const Int8Weight& weight, std::size_t row, std::int8_t value) {
  return weight.scale(row) * static_cast<float>(value - weight.zero_point(row));
}

bool is_finite(const Int8Weight& weight) {
  const std::size_t cols = weight.cols();
  for (std::size_t r = 0; r < weight.rows(); ++r) {
    if (std::isfinite(weight.scale(r) * 256)) continue;  // then any value is
    for (std::size_t c = 0; c < cols; ++c) {
      if (!std::isfinite(decoded(weight, r, weight.values[r * cols + c]))) return false;
    }
  }
  return true;
}

}  // namespace

bool overflows(float value, DType dtype) {
  const float magnitude = std::abs(value);
  switch (dtype) {
    case DType::kF16:
      return !(magnitude < 65520);
    case DType::kBF16:
      return !(magnitude < 0x1.ffp127f);
    default:
      return !std::isfinite(value);
  }
}

std::string fault_of(const Int8Weight& weight) {
  const auto [rows, cols] = weight.matrix();
  const std::size_t n_scales = weight.scales.size();
  if (weight.values.size() != rows * cols) {
    return fmt::format("{} values for shape {}", weight.values.size(), to_string(weight.shape));
  }
  if (n_scales != 1 && n_scales != rows) {
    return fmt::format("{} scales, expected 1 or {}", n_scales, rows);
  }
  if (!weight.zero_points.empty() && weight.zero_points.size() != n_scales) {
    return fmt::format("{} zero points for {} scales", weight.zero_points.size(), n_scales);
  }
  for (const float scale : weight.scales) {
    if (!(scale > 0) || std::isinf(scale)) {
      return fmt::format("scale {:g}, expected a finite number above 0", scale);
    }
  }
  return is_finite(weight) ? "" : "a scale times a value is beyond the range of float";
}

Int8Weight int8_from_reference(Shape shape, std::vector<std::int8_t> values,
                               std::vector<float> scales, std::vector<std::int8_t> zero_points,
                               DType dtype) {
  Int8Weight weight;
  weight.shape = std::move(shape);
  weight.dtype = dtype;
  weight.values = std::move(values);
  weight.scales = std::move(scales);
  weight.zero_points = std::move(zero_points);
  weight.options = "source=reference";
  const std::string fault = is_compressible(dtype)
                                ? fault_of(weight)
                                : std::string(to_string(dtype)) + " is not a float type";
  if (!fault.empty()) throw invalid_argument("int8 reference: {}", fault);
  return weight;
}

std::string Int8Codec::summary(const Int8Weight& weight) {
  return std::string(weight.scales.size() == 1 ? "per=tensor" : "per=row") +
         (weight.zero_points.empty() ? ",scheme=symmetric" : ",scheme=affine") +
         (weight.activations == ActivationRange::kRow ? ",activations=row" : ",activations=batch");
}

void Int8Codec::decode_rows(const Int8Weight& weight, std::size_t first, MutableMatrix out) {
  const std::size_t cols = weight.cols();
  assert(first + out.rows() <= weight.rows() && out.cols() == cols);
  Workers(out.rows() * out.cols(), 4).for_each(out.rows(), [&](std::size_t r) {
    const std::int8_t* from = weight.values.data() + (first + r) * cols;
    const float scale = weight.scale(first + r);
    const int zero_point = weight.zero_point(first + r);
    float* to = out.row(r).data();
    for (std::size_t c = 0; c < cols; ++c) {
      to[c] = scale * static_cast<float>(from[c] - zero_point);
    }
  });
}

}  // namespace pqw
