// Fully connected layers computed from the compressed weight.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"

namespace pqw {

// y = x Wᵀ + b. Copies share the weight. Safe to use from several threads at once.
class Linear {
 public:
  // `weight` is [out, in]; `bias` has `out` elements, or none.
  // Errors: kInvalidArgument when the shapes do not fit.
  explicit Linear(Weight weight, std::vector<float> bias = {}, const ServeOptions& serve = {});

  std::size_t in_features() const { return product_->cols(); }
  std::size_t out_features() const { return product_->rows(); }

  // x: [batch][in_features], y: [batch][out_features]. Errors: kInvalidArgument on other sizes.
  void forward(ConstMatrix x, MutableMatrix y) const;

  // How `forward` computes a batch of that size, in a few words.
  std::string describe(std::size_t batch) const { return product_->describe(batch); }

 private:
  std::shared_ptr<const Product> product_;
  std::vector<float> bias_;
};

}  // namespace pqw
