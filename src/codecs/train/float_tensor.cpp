// A tensor as floats, checked.
#include "pqw/codecs/float_tensor.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

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
    throw Error(ErrorCode::kUnsupported,
                quoted("tensor", tensor.info.name) + ": all weights are below the range of float");
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
  throw Error(ErrorCode::kNonFinite,
              quoted("tensor", name) + ": " + std::to_string(count) +
                  " NaN or infinite weights (as float), the first at index " +
                  std::to_string(first) + "; only finite weights can be compressed");
}

FloatTensor read_floats(const TensorInfo& info, std::span<const std::byte> bytes) {
  if (!is_compressible(info.dtype)) {
    throw Error(ErrorCode::kInvalidArgument,
                quoted("tensor", info.name) + ": type " + std::string(to_string(info.dtype)) +
                    " cannot be compressed, expected F16, BF16, F32 or F64");
  }
  (void)matrix_shape(info.shape);
  FloatTensor tensor{info, std::vector<float>(element_count(info.shape))};
  to_float(bytes, info.dtype, tensor.values);
  require_finite(tensor.matrix(), info.name);
  if (info.dtype == DType::kF64) require_not_vanished(bytes, tensor);
  return tensor;
}

}  // namespace pqw
