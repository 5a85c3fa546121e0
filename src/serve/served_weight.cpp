// A weight of any codec, prepared for repeated products: checks and dispatch.
#include "pqw/serve/served_weight.h"

#include <fmt/format.h>

#include "pqw/core/error.h"
#include "serve/overflow.h"
#include "serve/served_form.h"

namespace pqw {
namespace {

// Runs `multiply(x, y)`, and again for rows of x that need it.
template <class Multiply>
void multiply_safely(ConstMatrix x, MutableMatrix y, const Multiply& multiply) {
  multiply(x, y);
  for (std::size_t b = 0; b < x.rows(); ++b) {
    multiply_again_if_infinite(x.row(b), y.row(b),
                               [&](std::span<const float> x_row, std::span<float> y_row, float) {
                                 multiply(ConstMatrix(x_row.data(), 1, x_row.size()),
                                          MutableMatrix(y_row.data(), 1, y_row.size()));
                               });
  }
}

}  // namespace

ServedWeight::ServedWeight(Weight weight, const ServeOptions& options)
    : shape_(shape_of(weight)),
      matrix_(matrix_shape(shape_)),
      form_(std::visit(
          [&](auto&& w) -> std::shared_ptr<const ServedForm> {
            return prepare(std::forward<decltype(w)>(w), options);
          },
          std::move(weight))) {}

void ServedWeight::multiply(ConstMatrix x, MutableMatrix y) const {
  if (x.cols() != cols() || y.cols() != rows() || x.rows() != y.rows()) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("weight {}: x is [{}, {}], expected [batch, {}]; y is [{}, {}], "
                    "expected [batch, {}]",
                    to_string(shape_), x.rows(), x.cols(), cols(), y.rows(), y.cols(), rows()));
  }
  if (x.rows() == 0 || rows() == 0) return;
  multiply_safely(x, y, [&](ConstMatrix a, MutableMatrix b) { form_->multiply(a, b); });
}

void ServedWeight::multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  if (x.cols() != cols() || first > rows() || y.cols() > rows() - first || x.rows() != y.rows()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("weight {}, rows from {}: x is [{}, {}], expected [batch, {}]; y is "
                            "[{}, {}], expected [batch, {} or fewer]",
                            to_string(shape_), first, x.rows(), x.cols(), cols(), y.rows(),
                            y.cols(), first > rows() ? 0 : rows() - first));
  }
  if (x.rows() == 0 || y.cols() == 0) return;
  multiply_safely(x, y, [&](ConstMatrix a, MutableMatrix b) { form_->multiply_rows(first, a, b); });
}

std::string ServedWeight::describe(std::size_t batch) const { return form_->describe(batch); }

}  // namespace pqw
