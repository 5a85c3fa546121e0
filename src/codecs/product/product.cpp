// Products: the names of their options, and which class a codec has.
#include "pqw/codecs/product.h"

#include <cassert>

#include "codecs/int8/product/int8_product.h"
#include "codecs/low_rank/product/low_rank_product.h"
#include "codecs/plain/product/plain_product.h"
#include "codecs/pq/product/pq_product.h"
#include "codecs/product/overflow.h"
#include "codecs/tensorized/product/tensorized_product.h"

namespace pqw {
namespace {

using ProductPointer = std::unique_ptr<const Product>;

// One line per codec.
struct MakeProduct {
  const ServeOptions& options;

  ProductPointer operator()(PlainWeight w) const {
    return std::make_unique<PlainProduct>(std::move(w));
  }
  ProductPointer operator()(PqWeight w) const { return make_pq_product(std::move(w), options); }
  ProductPointer operator()(Int8Weight w) const { return make_int8_product(std::move(w), options); }
  ProductPointer operator()(LowRankWeight w) const {
    return std::make_unique<LowRankProduct>(w, options);
  }
  ProductPointer operator()(TensorizedWeight w) const {
    return std::make_unique<TensorizedProduct>(std::move(w));
  }
};

}  // namespace

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

ProductPointer make_product(Weight weight, const ServeOptions& options) {
  return std::visit(MakeProduct{options}, std::move(weight));
}

std::string_view to_string(Precision precision) {
  switch (precision) {
    case Precision::kExact:
      return "exact";
    case Precision::kHigh:
      return "high";
    case Precision::kFast:
      break;
  }
  return "fast";
}

std::optional<Precision> parse_precision(std::string_view name) {
  for (const Precision precision : {Precision::kExact, Precision::kHigh, Precision::kFast}) {
    if (name == to_string(precision)) return precision;
  }
  return std::nullopt;
}

double documented_error(Precision precision) {
  switch (precision) {
    case Precision::kExact:
      return 1e-5;
    case Precision::kHigh:
      return 1e-4;
    case Precision::kFast:
      break;
  }
  return 1.5e-2;
}

std::string_view to_string(ServeMethod method) {
  switch (method) {
    case ServeMethod::kAuto:
      return "auto";
    case ServeMethod::kLookup:
      return "lookup";
    case ServeMethod::kBatchLookup:
      return "batch lookup";
    case ServeMethod::kDecode:
      return "decode";
    case ServeMethod::kDecodeBf16:
      break;
  }
  return "decode-bf16";
}

}  // namespace pqw
