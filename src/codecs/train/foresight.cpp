// What is known about an encoded weight before it is learned.
#include "pqw/codecs/foresight.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codecs/float_range.h"
#include "pqw/codecs/encode.h"

namespace pqw {
namespace {

// Whether the size depends on the values and not only on the shape.
bool size_varies(const CodecOptions& options) {
  return std::visit(
      []<class O>(const O& o) {
        bool varies = std::is_same_v<O, PqOptions>;
        if constexpr (requires { o.factors; }) varies = size_varies(*o.factors);
        if constexpr (requires { o.energy; }) varies = varies || o.energy > 0;
        return varies;
      },
      options);
}

// The last iterations set each centroid to the mean of its cluster, and no cluster is farther from
// its mean than from zero. With fewer iterations the last M-step may overshoot, or there is none.
Foresight of(const PqOptions& options) {
  constexpr std::size_t kSettled = 12;
  const bool explores = options.init == Init::kPlusPlus && options.engine == Engine::kNative;
  return options.iterations >= (explores ? kSettled : 1) ? Foresight::kOutcome : Foresight::kSize;
}

// For factors that a decomposition learns: their values are known only after it.
Foresight of_factors(const CodecOptions& factors) {
  if (std::holds_alternative<PlainOptions>(factors)) return Foresight::kOutcome;
  return size_varies(factors) ? Foresight::kNothing : Foresight::kSize;
}

Foresight of(const LowRankOptions& options) {
  if (options.init == LowRankInit::kZeros) return Foresight::kOutcome;
  return of_factors(*options.factors);
}

// The first sweep of alternating least squares is already closer than zeros are.
Foresight of(const TensorizedOptions& options) {
  const bool fitted = options.form != TensorForm::kCp || options.iterations > 0;
  return std::min(of_factors(*options.factors), fitted ? Foresight::kOutcome : Foresight::kSize);
}

// int8 keeps at least the largest weight of each row, and plain keeps all weights.
Foresight of(const Int8Options&) { return Foresight::kOutcome; }
Foresight of(const PlainOptions&) { return Foresight::kOutcome; }

}  // namespace

Foresight foresight(const CodecOptions& options) {
  return std::visit([](const auto& o) { return of(o); }, options);
}

bool near_limits(const FloatTensor& tensor) {
  const bool half = tensor.info.dtype == DType::kF16;
  const double least = half ? 0x1p-14 : 0x1p-122;
  const double most = half ? 0x1p15 : 0x1p120;
  const float largest = largest_magnitude(tensor.values);
  if (largest == 0) return false;
  double squares = 0;
  for (const float value : tensor.values) squares += static_cast<double>(value) * value;
  return largest > most || squares < least * least * static_cast<double>(tensor.values.size());
}

bool is_placeholder(const CodecOptions& options) {
  return std::visit(
      [](const auto& o) {
        bool zeros = false;
        if constexpr (requires { o.factors; }) zeros = is_placeholder(*o.factors);
        if constexpr (requires { o.init == LowRankInit::kZeros; }) {
          zeros = zeros || o.init == LowRankInit::kZeros;
        }
        return zeros;
      },
      options);
}

}  // namespace pqw
