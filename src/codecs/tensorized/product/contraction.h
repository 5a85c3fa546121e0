// y = x Wᵀ by contracting x with one factor after the other.
#pragma once

#include "codecs/tensorized/value/factors.h"

namespace pqw::tensorized {

// REQUIRES: x has at most as many columns as the padded matrix; y has at most as many as it has
// rows, and gets the first ones.
void contract(const Factors& factors, ConstMatrix x, MutableMatrix y);

// Operations for one row of x: multiplications and additions.
double contract_cost(const TensorLayout& layout);

// The same of kCp.
void contract_cp(const Factors& factors, ConstMatrix x, MutableMatrix y);
double contract_cp_cost(const TensorLayout& layout);

}  // namespace pqw::tensorized
