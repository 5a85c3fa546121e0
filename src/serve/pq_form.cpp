// Product-quantized weights: multiplied from the codes, laid out for the lookup kernels.
#include "serve/served_form.h"

namespace pqw {
namespace {

class PqForm : public ServedForm {
 public:
  PqForm(const PqWeight& weight, const ServeOptions& options) : lookup_(weight, options) {}

  void multiply(ConstMatrix x, MutableMatrix y) const override { lookup_.multiply(x, y); }
  void multiply_rows(std::size_t first, ConstMatrix x, MutableMatrix y) const override {
    lookup_.multiply_rows(first, x, y);
  }
  std::string describe(std::size_t batch) const override { return lookup_.describe(batch); }

 private:
  PqLookup lookup_;
};

}  // namespace

std::unique_ptr<const ServedForm> prepare(PqWeight weight, const ServeOptions& options) {
  return std::make_unique<PqForm>(weight, options);
}

}  // namespace pqw
