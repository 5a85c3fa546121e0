// Tensorized weights, served through TensorizedProduct.
#include "pqw/codecs/tensorized_product.h"
#include "serve/served_form.h"

namespace pqw {
namespace {

class TensorizedForm : public ServedForm {
 public:
  explicit TensorizedForm(const TensorizedWeight& weight) : product_(weight) {}

  void multiply(ConstMatrix x, MutableMatrix y) const override { multiply_rows(0, x, y); }
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    product_.multiply_rows(first, x, y);
  }
  std::string describe(std::size_t batch) const override { return product_.describe(batch); }

 private:
  TensorizedProduct product_;
};

}  // namespace

std::unique_ptr<const ServedForm> prepare(TensorizedWeight weight, const ServeOptions&) {
  return std::make_unique<TensorizedForm>(weight);
}

}  // namespace pqw
