// Factors decoded to floats, and cut to a layer or to a range of rows.
#include "codecs/tensorized/value/factors.h"

#include <cassert>

#include "codecs/active_kernels.h"
#include "codecs/tensorized/value/layout.h"
#include "pqw/codecs/weight.h"

namespace pqw::tensorized {
namespace {

// Keeps the digits first .. first+count-1 of row mode k, in its factor. Each of the `before` runs
// of rows of that factor holds one row per digit.
void keep_digits(Factors& factors, std::size_t k, std::size_t first, std::size_t count) {
  TensorLayout& layout = factors.layout;
  const bool is_core = layout.form == TensorForm::kTt || layout.form == TensorForm::kTtm;
  const std::size_t before = is_core ? rank_before(layout, k) : 1;
  const std::size_t cols = factor_shapes(layout)[k].cols;
  std::vector<float>& values = factors.values[k];
  std::vector<float> kept;
  kept.reserve(before * count * cols);
  for (std::size_t r = 0; r < before; ++r) {
    const auto begin =
        values.begin() + static_cast<std::ptrdiff_t>((r * layout.out_modes[k] + first) * cols);
    kept.insert(kept.end(), begin, begin + static_cast<std::ptrdiff_t>(count * cols));
  }
  values = std::move(kept);
  layout.out_modes[k] = count;
}

// The slowest mode that has more than one digit.
std::size_t first_mode(const TensorLayout& layout) {
  std::size_t k = 0;
  while (k + 1 < layout.out_modes.size() && layout.out_modes[k] == 1) ++k;
  return k;
}

}  // namespace

Factors decode_factors(const TensorizedWeight& weight) {
  Factors factors{.layout = weight.layout, .values = {}, .kernels = active_kernels().contraction};
  const std::vector<MatrixShape> shapes = factor_shapes(weight.layout);
  assert(shapes.size() == weight.factors->size());
  for (std::size_t k = 0; k < shapes.size(); ++k) {
    auto& values = factors.values.emplace_back(shapes[k].rows * shapes[k].cols);
    decode_rows((*weight.factors)[k], 0, {values.data(), shapes[k].rows, shapes[k].cols});
  }
  if (weight.layout.n_layers > 1) {
    factors.layout.out_modes = row_modes(weight.layout);
    factors.layout.n_layers = 1;
    keep_digits(factors, 0, weight.layer, 1);
  }
  return factors;
}

void keep_first_digits(Factors& factors, std::size_t first, std::size_t count) {
  const std::size_t k = first_mode(factors.layout);
  assert(first + count <= factors.layout.out_modes[k]);
  if (count < factors.layout.out_modes[k]) keep_digits(factors, k, first, count);
}

std::size_t rows_of_first_digit(const TensorLayout& layout) {
  return product(std::span(layout.out_modes).subspan(first_mode(layout) + 1));
}

}  // namespace pqw::tensorized
