// Products of bytes, portable. This loop is also the specification of the others.
#include "kernels/int8_product.h"

namespace pqw::kernels {

void int8_product_portable(const Int8Operands& operands, std::int32_t* sums) {
  for (std::size_t p = 0; p < operands.n_panels; ++p) {
    for (std::size_t i = 0; i < operands.n_x; ++i) {
      const std::uint8_t* x = operands.x + i * operands.x_stride;
      const std::int8_t* w = operands.panels + p * operands.panel_stride;
      std::int32_t* to = sums + (i * operands.n_panels + p) * kPanelRows;
      for (std::size_t c = 0; c < operands.n_columns; c += kPanelColumns) {
        for (std::size_t r = 0; r < kPanelRows; ++r, w += kPanelColumns) {
          to[r] += x[c] * w[0] + x[c + 1] * w[1] + x[c + 2] * w[2] + x[c + 3] * w[3];
        }
      }
    }
  }
}

}  // namespace pqw::kernels
