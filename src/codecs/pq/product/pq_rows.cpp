// Product-quantized weights laid out by rows.
#include "codecs/pq/product/pq_rows.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "codecs/product/row_product.h"

namespace pqw {
namespace {

template <class Code>
class PqRows : public RowProduct {
 public:
  explicit PqRows(PqWeight weight)
      : RowProduct(weight.matrix()),
        block_size_(weight.block_size),
        codebooks_(std::move(weight.codebooks)),
        row_scales_(std::move(weight.row_scales)) {
    for (const std::size_t group : group_of_positions(weight)) {
      codebook_of_.push_back(group * weight.n_centroids * block_size_);
    }
    codes_.resize(weight.codes.size());
    for (std::size_t p = 0; p < codebook_of_.size(); ++p) {
      const std::span<const std::uint16_t> codes = weight.codes_of(p);
      for (std::size_t r = 0; r < codes.size(); ++r) {
        codes_[r * codebook_of_.size() + p] = static_cast<Code>(codes[r]);
      }
    }
  }

  void decode_row(std::size_t row, std::span<float> out) const override {
    const Code* codes = codes_.data() + row * codebook_of_.size();
    for (std::size_t p = 0; p < codebook_of_.size(); ++p) {
      const float* centroid = codebooks_.data() + codebook_of_[p] + codes[p] * block_size_;
      const auto to = out.subspan(p * block_size_);
      std::copy_n(centroid, std::min(block_size_, to.size()), to.data());
    }
    if (row_scales_.empty()) return;
    for (float& value : out) value *= row_scales_[row];
  }

 private:
  std::size_t block_size_;
  std::vector<float> codebooks_;          // as in PqWeight
  std::vector<float> row_scales_;         // as in PqWeight
  std::vector<std::size_t> codebook_of_;  // where the codebook of a position starts in codebooks_
  std::vector<Code> codes_;               // [rows][positions]
};

}  // namespace

std::unique_ptr<const Product> make_pq_rows(PqWeight weight) {
  constexpr std::size_t kByteCodes = 256;
  if (weight.n_centroids <= kByteCodes) {
    return std::make_unique<PqRows<std::uint8_t>>(std::move(weight));
  }
  return std::make_unique<PqRows<std::uint16_t>>(std::move(weight));
}

}  // namespace pqw
