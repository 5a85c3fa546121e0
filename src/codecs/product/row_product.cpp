// Products of weights that are laid out by rows.
#include "codecs/product/row_product.h"

#include <vector>

#include "codecs/active_kernels.h"
#include "core/parallel.h"

namespace pqw {

void RowProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  const auto dot = active_kernels().contraction->dot;
  Workers(x.rows() * x.cols() * y.cols(), 1).for_each(y.cols(), [&](std::size_t r) {
    std::vector<float> row(cols());
    decode_row(first + r, row);
    for (std::size_t b = 0; b < x.rows(); ++b) y(b, r) = dot(x.row(b).data(), row.data(), cols());
  });
}

}  // namespace pqw
