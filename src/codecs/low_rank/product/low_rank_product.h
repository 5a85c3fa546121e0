// Products of low-rank weights.
#pragma once

#include <memory>
#include <vector>

#include "pqw/codecs/low_rank.h"
#include "pqw/codecs/product.h"

namespace pqw {

// y = (x Vᵀ) Uᵀ: two thin products, each computed by the codec of its factor. U V is never formed.
class LowRankProduct : public Product {
 public:
  LowRankProduct(const LowRankWeight& weight, const ServeOptions& options);

  void decode_row(std::size_t row, std::span<float> out) const override;
  std::string describe(std::size_t batch) const override;

 private:
  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;

  std::unique_ptr<const Product> outer_;  // U
  std::unique_ptr<const Product> inner_;  // V
};

}  // namespace pqw
