// Plain weights: multiplied from their floats.
#include "pqw/core/error.h"
#include "serve/served_form.h"

namespace pqw {
namespace {

class DenseForm : public WeightForm<PlainWeight> {
 public:
  using WeightForm::WeightForm;
  std::string describe(std::size_t) const override { return "dense product"; }
};

}  // namespace

std::unique_ptr<const ServedForm> prepare(PlainWeight weight, const ServeOptions&) {
  return std::make_unique<DenseForm>(std::move(weight));
}

}  // namespace pqw
