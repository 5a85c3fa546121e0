// What a weight is multiplied from, by codec.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "pqw/codecs/pq_lookup.h"
#include "pqw/codecs/weight.h"

namespace pqw {

// Shapes as for ServedWeight, which checks them. Safe to use from several threads at once.
class ServedForm {
 public:
  virtual ~ServedForm() = default;
  virtual void multiply(ConstMatrix x, MutableMatrix y) const = 0;
  virtual void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const = 0;
  virtual std::string describe(std::size_t batch) const = 0;
};

// A codec that is multiplied as it is: through its own `multiply` and `multiply_rows`.
template <class AnyWeight>
class WeightForm : public ServedForm {
 public:
  explicit WeightForm(AnyWeight weight) : weight_(std::move(weight)) {
    decode_rows(weight_, 0, {nullptr, 0, matrix_shape(weight_.shape).cols});  // checks the type
  }

  void multiply(ConstMatrix x, MutableMatrix y) const override { pqw::multiply(weight_, x, y); }
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    pqw::multiply_rows(weight_, first, x, y);
  }
  std::string describe(std::size_t) const override { return "multiply of the codec"; }

 private:
  AnyWeight weight_;
};

// How a weight is prepared. A codec with a form of its own gets an overload here.
std::unique_ptr<const ServedForm> prepare(LowRankWeight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(PlainWeight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(PqWeight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(Int8Weight weight, const ServeOptions& options);
std::unique_ptr<const ServedForm> prepare(TensorizedWeight weight, const ServeOptions& options);
template <class AnyWeight>
std::unique_ptr<const ServedForm> prepare(AnyWeight weight, const ServeOptions&) {
  return std::make_unique<WeightForm<AnyWeight>>(std::move(weight));
}

}  // namespace pqw
