// Products of weights that are laid out by rows.
#include "codecs/product/row_product.h"

#include <cassert>
#include <vector>

#include "codecs/active_kernels.h"
#include "core/region_errors.h"

namespace pqw {
namespace {

constexpr std::size_t kParallelWork = 1 << 18;  // multiplications that pay for threads

}  // namespace

void RowProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  assert(x.cols() == cols() && x.rows() == y.rows() && first + y.cols() <= rows());
  const auto dot = active_kernels().contraction->dot;
  RegionErrors errors;
#pragma omp parallel for schedule(static) if (x.rows() * x.cols() * y.cols() >= kParallelWork)
  for (std::size_t r = 0; r < y.cols(); ++r) {
    errors.run([&] {
      std::vector<float> row(cols());
      decode_row(first + r, row);
      for (std::size_t b = 0; b < x.rows(); ++b) y(b, r) = dot(x.row(b).data(), row.data(), cols());
    });
  }
  errors.rethrow();
}

}  // namespace pqw
