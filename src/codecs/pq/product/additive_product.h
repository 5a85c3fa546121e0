// Products of weights with additive codebooks.
#pragma once

#include <memory>

#include "pqw/codecs/pq.h"
#include "pqw/codecs/product.h"

namespace pqw {

// y = Σ_m x W_mᵀ: the product of the weight with all centroids side by side (value/additive.h) and
// of x, repeated for each codebook. So the tables of all codebooks add up in one pass of the same
// kernels, with the same bounds of the error. REQUIRES: weight.n_additive > 1.
std::unique_ptr<const Product> make_additive_product(PqWeight weight, const ServeOptions& options);

}  // namespace pqw
