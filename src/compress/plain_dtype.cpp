// The type in which plain F32 tensors are stored.
#include "compress/plain_dtype.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "codecs/cast.h"
#include "compress/worth.h"
#include "pqw/core/convert.h"
#include "pqw/pipeline/evaluate.h"
#include "pqw/pipeline/report.h"

namespace pqw {
namespace {

// The least magnitude that rounds to infinity: half a step above the largest finite value.
float least_beyond(DType dtype) {
  return dtype == DType::kF16 ? 65520.0f : std::bit_cast<float>(std::uint32_t{0x7f7f8000});
}

// Values of F32 in a narrower type.
struct Rounded {
  std::vector<std::byte> values;
  bool has_nan = false, has_infinity = false, is_beyond = false;
  bool is_exact = true;

  // Why these must not replace the tensor; empty if they may.
  std::string obstacle() const {
    if (has_nan) return "holds NaN";
    if (is_beyond) return "beyond the range";
    return has_infinity && !is_exact ? "holds infinity" : "";
  }
};

Rounded rounded(std::span<const std::byte> bytes, DType dtype) {
  constexpr std::size_t kAtOnce = 1 << 14, kWide = sizeof(float);
  const std::size_t width = size_in_bytes(dtype), count = bytes.size() / kWide;
  const float beyond = least_beyond(dtype);
  Rounded result{std::vector<std::byte>(count * width)};
  std::vector<float> before(std::min(count, kAtOnce)), after(before.size());
  for (std::size_t done = 0; done < count; done += kAtOnce) {
    const std::size_t n = std::min(kAtOnce, count - done);
    const std::span from(before.data(), n), to(after.data(), n);
    const auto narrow = std::span(result.values).subspan(done * width, n * width);
    to_float(bytes.subspan(done * kWide, n * kWide), DType::kF32, from);
    from_float(from, dtype, narrow);
    to_float(narrow, dtype, to);
    for (std::size_t i = 0; i < n; ++i) {
      result.has_nan |= std::isnan(from[i]);
      result.has_infinity |= std::isinf(from[i]);
      result.is_beyond |= std::isfinite(from[i]) && std::abs(from[i]) >= beyond;
      result.is_exact &= from[i] == to[i];
    }
  }
  return result;
}

Narrowed made(const TensorInfo& info, DType dtype, const Rounded& rounded) {
  return {cast_record(info, dtype, rounded.values), {}, stored_in(dtype)};
}

Narrowed exact(const TensorInfo& info, std::span<const std::byte> bytes) {
  for (const DType dtype : {DType::kF16, DType::kBF16}) {
    const Rounded values = rounded(bytes, dtype);
    if (values.is_exact && !values.has_nan) return made(info, dtype, values);
  }
  return {};
}

}  // namespace

const std::vector<std::pair<std::string, PlainDtype>>& plain_dtypes() {
  static const std::vector<std::pair<std::string, PlainDtype>> kNames = {
      {"same", PlainDtype::kSame},
      {"exact", PlainDtype::kExact},
      {"f16", PlainDtype::kF16},
      {"bf16", PlainDtype::kBF16}};
  return kNames;
}

bool may_be_narrowed(const TensorInfo& info, PlainDtype wanted) {
  constexpr std::size_t kHalf = 2;
  return wanted != PlainDtype::kSame && info.dtype == DType::kF32 &&
         shrinks(byte_count(info) / kHalf, info);
}

Narrowed narrowed(const TensorInfo& info, std::span<const std::byte> bytes, PlainDtype wanted) {
  if (!may_be_narrowed(info, wanted)) return {};
  if (wanted == PlainDtype::kExact) return exact(info, bytes);
  const DType dtype = wanted == PlainDtype::kF16 ? DType::kF16 : DType::kBF16;
  const Rounded values = rounded(bytes, dtype);
  const auto refused = [&](const std::string& why) {
    return Narrowed{{}, {}, fmt::format("not {}: {}", to_string(dtype), why)};
  };
  if (const std::string obstacle = values.obstacle(); !obstacle.empty()) return refused(obstacle);
  Narrowed result = made(info, dtype, values);
  if (values.is_exact) return result;
  result.distortion = measure(info.dtype, bytes, dtype, values.values);
  if (!is_lost(result.distortion)) return result;
  return refused(fmt::format("relative error {:.3g}", result.distortion.relative_error()));
}

}  // namespace pqw
