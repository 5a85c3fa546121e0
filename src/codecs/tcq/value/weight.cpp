// Trellis-coded weights: decoding.
#include "codecs/tcq/value/weight.h"

#include <fmt/format.h>

#include <cassert>
#include <cmath>

#include "codecs/float_range.h"
#include "core/parallel.h"

namespace pqw {

float TcqWeight::row_step(std::size_t row) const {
  constexpr float kRootOfHalf = 0x1.6a09e6p-1f;
  if (fineness.empty()) return step;
  const unsigned fine = fineness[row];
  // A power of two is exact unless the result is subnormal, so there is one rounding mostly.
  return std::ldexp(fine % 2 == 0 ? step : step * kRootOfHalf, -static_cast<int>(fine / 2));
}

void TcqCodec::decode_rows(const TcqWeight& weight, std::size_t first, MutableMatrix out) {
  assert(first + out.rows() <= weight.rows() && out.cols() == weight.cols());
  Workers(out.rows() * out.cols(), 4).for_each(out.rows(), [&](std::size_t r) {
    tcq::decode_row(weight, first + r, out.row(r));
  });
}

std::string TcqCodec::summary(const TcqWeight& weight) {
  return fmt::format("step={:.3g}{}{}", weight.step, weight.fineness.empty() ? "" : ",scales=row",
                     weight.means.empty() ? "" : ",means=on");
}

namespace tcq {

void decode_row(const TcqWeight& weight, std::size_t row, std::span<float> out) {
  const std::int16_t* from = weight.values.data() + row * out.size();
  const float step = weight.row_step(row);
  for (std::size_t c = 0; c < out.size(); ++c) {
    const float mean = weight.means.empty() ? 0 : weight.means[c];
    out[c] = decoded(from[c], step, mean);
  }
}

bool is_finite(const TcqWeight& weight) {
  const auto [rows, cols] = weight.matrix();
  float largest_mean = 0;
  for (const float mean : weight.means) largest_mean = std::max(largest_mean, std::abs(mean));
  if (std::isfinite(weight.step * TcqWeight::kMostValue + largest_mean)) return true;
  std::vector<float> row(cols);
  for (std::size_t r = 0; r < rows; ++r) {
    decode_row(weight, r, row);
    if (!all_finite(row)) return false;
  }
  return true;
}

}  // namespace tcq
}  // namespace pqw
