// Products: dispatch, and the names of their options.
#include "pqw/codecs/product.h"

#include <cassert>

#include "codecs/product/overflow.h"
#include "pqw/codecs/weight.h"

namespace pqw {

void Product::multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  assert(x.cols() == cols() && x.rows() == y.rows() && first + y.cols() <= rows());
  if (x.rows() == 0 || y.cols() == 0) return;
  multiply_once(first, x, y);
  for (std::size_t b = 0; b < x.rows(); ++b) {
    multiply_again_if_infinite(
        x.row(b), y.row(b), [&](std::span<const float> x_row, std::span<float> y_row, float) {
          multiply_once(first, {x_row.data(), 1, x_row.size()}, {y_row.data(), 1, y_row.size()});
        });
  }
}

std::unique_ptr<const Product> make_product(Weight weight, const ServeOptions& options) {
  return std::visit(
      [&]<class W>(W&& w) {
        return std::remove_cvref_t<W>::Codec::make_product(std::move(w), options);
      },
      std::move(weight));
}

// This table and those below are in the order of the enumerations.
std::string_view to_string(Precision precision) {
  constexpr std::string_view kNames[] = {"exact", "high", "fast"};
  return kNames[static_cast<std::size_t>(precision)];
}

std::optional<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    if (name == to_string(precision)) return precision;
  }
  return std::nullopt;
}

double documented_error(Precision precision) {
  constexpr double kErrors[] = {1e-5, 1e-4, 1.5e-2};
  return kErrors[static_cast<std::size_t>(precision)];
}

std::string_view to_string(ServeMemory memory) {
  constexpr std::string_view kNames[] = {"codes", "fastest"};
  return kNames[static_cast<std::size_t>(memory)];
}

std::string_view to_string(ServeMethod method) {
  constexpr std::string_view kNames[] = {"auto",        "lookup",      "batch lookup", "decode",
                                         "decode-bf16", "decode-int8", "dense"};
  return kNames[static_cast<std::size_t>(method)];
}

}  // namespace pqw
