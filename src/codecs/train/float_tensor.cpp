// A tensor as floats, checked.
#include "pqw/codecs/float_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/subject.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

// Doubles that are all too small for float would be stored as zeros and reported as exact.
void require_not_vanished(std::span<const std::byte> bytes, const FloatTensor& tensor) {
  const auto is_zero = [](float value) { return value == 0; };
  if (!std::all_of(tensor.values.begin(), tensor.values.end(), is_zero)) return;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(double)) {
    double value;
    std::memcpy(&value, bytes.data() + at, sizeof(double));
    if (value == 0) continue;
    throw tensor_subject(tensor.info.name, ErrorCode::kUnsupported)
        .error("all weights are below the range of float");
  }
}

}  // namespace

void require_finite(ConstMatrix w, const std::string& name) {
  std::size_t count = 0;
  std::size_t first = 0;
  for (std::size_t r = 0; r < w.rows(); ++r) {
    for (std::size_t c = 0; c < w.cols(); ++c) {
      if (std::isfinite(w(r, c))) continue;
      if (count++ == 0) first = r * w.cols() + c;
    }
  }
  if (count == 0) return;
  throw tensor_subject(name, ErrorCode::kNonFinite)
      .error(
          "{} NaN or infinite weights (as float), the first at index {}; only finite weights "
          "can be compressed",
          count, first);
}

FloatTensor read_floats(const TensorInfo& info, std::span<const std::byte> bytes) {
  if (!is_compressible(info.dtype)) {
    throw tensor_subject(info.name).error(
        "type {} cannot be compressed, expected F16, BF16, F32 or F64", to_string(info.dtype));
  }
  (void)matrix_shape(info.shape);
  FloatTensor tensor{info, std::vector<float>(element_count(info.shape))};
  to_float(bytes, info.dtype, tensor.values);
  require_finite(tensor.matrix(), info.name);
  if (info.dtype == DType::kF64) require_not_vanished(bytes, tensor);
  return tensor;
}

}  // namespace pqw
