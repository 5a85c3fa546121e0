// Products with decoded weights, which are packed for the vectors of this processor. The kernel is that
// of decoded blocks with the parts exchanged: W stands in the vectors, and a row of x is in the place
// of a centroid that is as long as the row.
#include "codecs/plain/product/packed_product.h"

#include <algorithm>
#include <vector>

#include "codecs/active_kernels.h"
#include "codecs/product/panel.h"
#include "core/parallel.h"

namespace pqw {

namespace {

using kernels::kTileRows;

constexpr std::size_t kColumnsAtOnce = 512;  // of a panel: they stay in the L2 cache

std::size_t rounded_up(std::size_t n, std::size_t step) { return (n + step - 1) / step * step; }

}  // namespace

PackedProduct::PackedProduct(const PlainWeight& weight)
    : Product(weight.matrix()),
      kernels_(*active_kernels().product),
      width_(kernels_.most_vectors * kernels_.lanes),
      panels_(allocate_aligned(sizeof(float) * rounded_up(rows(), kernels_.lanes) * cols())) {
  PlainCodec::decode_rows(weight, 0, {nullptr, 0, cols()});  // checks the type
  Workers(rows() * cols(), 1).for_each((rows() + width_ - 1) / width_, [&](std::size_t index) {
    const std::size_t first = index * width_;
    const std::size_t n_rows = std::min(width_, rows() - first);
    std::vector<float> decoded(n_rows * cols());
    const MutableMatrix rows_of_panel{decoded.data(), n_rows, cols()};
    PlainCodec::decode_rows(weight, first, rows_of_panel);
    transpose(rows_of_panel, 0, n_rows, width(index), const_cast<float*>(panel(index)));
  });
}

std::size_t PackedProduct::width(std::size_t index) const {
  return std::min(width_, rounded_up(rows() - index * width_, kernels_.lanes));
}

void PackedProduct::decode_row(std::size_t row, std::span<float> out) const {
  const std::size_t index = row / width_;
  const float* from = panel(index) + row % width_;
  for (std::size_t c = 0; c < out.size(); ++c) out[c] = from[c * width(index)];
}

void PackedProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  const Workers workers(x.rows() * x.cols() * y.cols(), 1);
  const std::size_t first_panel = first / width_;
  const std::size_t n_panels = (first + y.cols() + width_ - 1) / width_ - first_panel;
  const std::size_t n_tiles = (x.rows() + kTileRows - 1) / kTileRows;
  const Scratch<float> scratch(workers.count() * kTileRows * width_);
  workers.for_each(n_panels * n_tiles, [&](std::size_t i, std::size_t worker) {
    const std::size_t index = first_panel + i % n_panels, b = i / n_panels * kTileRows;
    const std::size_t n_rows = std::min(kTileRows, x.rows() - b);
    const ConstMatrix rows_of_x{x.row(b).data(), n_rows, cols(), std::max(x.stride(), cols())};
    const std::size_t begin = std::max(first, index * width_);
    const std::size_t end = std::min(first + y.cols(), (index + 1) * width_);
    const MutableMatrix rows{y.row(b).data() + (begin - first), n_rows, end - begin,
                             std::max(y.stride(), end - begin)};
    if (end - begin == width(index)) return multiply_panel(index, rows_of_x, rows);
    const MutableMatrix sums{scratch.data() + worker * kTileRows * width_, n_rows, width(index)};
    multiply_panel(index, rows_of_x, sums);
    for (std::size_t r = 0; r < n_rows; ++r) {
      std::copy_n(&sums(r, begin - index * width_), rows.cols(), rows.row(r).data());
    }
  });
}

// y = x Wᵀ for up to kTileRows rows of x, and all rows of W in that panel.
void PackedProduct::multiply_panel(std::size_t index, ConstMatrix x, MutableMatrix y) const {
  for (std::size_t column = 0; column == 0 || column < cols(); column += kColumnsAtOnce) {
    const std::size_t n = std::min(kColumnsAtOnce, cols() - column);
    const float* const columns_of_x = x.data() + column;
    kernels_.multiply_decoded(kOwnRows.data(), x.rows(), n, &columns_of_x, x.stride(),
                              panel(index) + column * y.cols(), y.cols() / kernels_.lanes, y.data(),
                              y.stride(), column == 0);
  }
}

}  // namespace pqw
