// Gains of product-quantized factors.
#include "codecs/train/factor_gain.h"

#include <algorithm>
#include <vector>

namespace pqw {

void add_product(ConstMatrix original, GainSums& sums, const DecodeRows& product) {
  constexpr std::size_t kRows = 64;
  std::vector<float> decoded(kRows * original.cols());
  for (std::size_t first = 0; first < original.rows(); first += kRows) {
    const std::size_t n = std::min(kRows, original.rows() - first);
    const MutableMatrix rows(decoded.data(), n, original.cols());
    product(first, rows);
    for (std::size_t r = 0; r < n; ++r) {
      for (std::size_t c = 0; c < original.cols(); ++c) {
        const double w = original(first + r, c);
        const double v = rows(r, c);
        sums.add({w * w, w * v, v * v});
      }
    }
  }
}

double product_gain(const GainSums& sums) {
  return error_of(sums, 1) < kMostError ? 1 : choose_gain(sums, Gain::kUnbiased, 1).factor;
}

Weight with_gain(Weight factor, double gain) {
  if (auto* pq = std::get_if<PqWeight>(&factor); pq != nullptr && gain < 1) lower_gain(gain, *pq);
  return factor;
}

std::string remark_on_gains(std::span<const Weight* const> factors) {
  for (const Weight* factor : factors) {
    const auto* pq = std::get_if<PqWeight>(factor);
    const std::string remark = pq == nullptr ? "" : remark_on_gain(pq->gain);
    if (!remark.empty()) return "factors: " + remark;
  }
  return "";
}

}  // namespace pqw
