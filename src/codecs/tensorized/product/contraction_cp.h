// y = x Wᵀ by contracting x with the factors of kCp.
#pragma once

#include "codecs/tensorized/value/factors.h"

namespace pqw::tensorized {

// As contract and contract_cost.
void contract_cp(const Factors& factors, ConstMatrix x, MutableMatrix y);
double contract_cp_cost(const TensorLayout& layout);

}  // namespace pqw::tensorized
