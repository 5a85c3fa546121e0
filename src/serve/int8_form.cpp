// Int8 weights: multiplied in integers, with inputs as exact as the precision asks for.
#include <fmt/format.h>

#include "pqw/codecs/int8_product.h"
#include "pqw/core/convert.h"
#include "serve/served_form.h"

namespace pqw {
namespace {

class Int8Form : public ServedForm {
 public:
  Int8Form(const Int8Weight& weight, unsigned input_bits)
      : product_(weight, input_bits), input_bits_(input_bits) {}

  void multiply(ConstMatrix x, MutableMatrix y) const override { product_.multiply(x, y); }
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    product_.multiply_rows(first, x, y);
  }
  std::string describe(std::size_t) const override {
    return fmt::format("int8, inputs in {} bits", input_bits_);
  }

 private:
  Int8Product product_;
  unsigned input_bits_;
};

PlainWeight decoded(const Int8Weight& weight) {
  const MatrixShape matrix = matrix_shape(weight.shape);
  std::vector<float> values(weight.values.size());
  decode(weight, {values.data(), matrix.rows, matrix.cols});
  PlainWeight plain{weight.shape, DType::kF32, std::vector<std::byte>(values.size() * 4)};
  from_float(values, plain.dtype, plain.bytes);
  return plain;
}

}  // namespace

std::unique_ptr<const ServedForm> prepare(Int8Weight weight, const ServeOptions& options) {
  if (options.precision == Precision::kExact) return prepare(decoded(weight), options);
  return std::make_unique<Int8Form>(weight, options.precision == Precision::kFast ? 8 : 16);
}

}  // namespace pqw
