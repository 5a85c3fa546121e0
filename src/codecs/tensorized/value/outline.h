// The record and summary of a tensorized weight without its factors.
#pragma once

#include <string>
#include <vector>

#include "pqw/codecs/tensorized.h"

namespace pqw {

// The record without factors, and the name of factor k in it.
Record tensorized_outline(const TensorizedWeight& weight, const std::string& name);
std::string factor_name(std::size_t k);

// "form=tt,out=8x8x12,in=8x8x12,rank=8x17x17x17x12", then ",layer=1/3" of several, then
// ",factors=pq" unless they are plain. `codecs` are those of the factors.
std::string tensorized_summary(const TensorizedWeight& weight,
                               const std::vector<std::string>& codecs);

}  // namespace pqw
