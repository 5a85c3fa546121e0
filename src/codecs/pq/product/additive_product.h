// Products of weights with additive codebooks.
#pragma once

#include <memory>

#include "pqw/codecs/pq.h"
#include "pqw/codecs/product.h"

namespace pqw {

// y = Σ_m x W_mᵀ. The codebooks are laid side by side (value/additive.h), and x is repeated for
// each of them. So the same kernels add up the tables of all codebooks in one pass, with the same
// error bounds. REQUIRES: weight.n_additive > 1.
std::unique_ptr<const Product> make_additive_product(PqWeight weight, const ServeOptions& options);

}  // namespace pqw
