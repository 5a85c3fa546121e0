// Checks that the layers share.
#pragma once

#include <cstddef>
#include <span>

#include "pqw/codecs/weight.h"

namespace pqw {

// Throws Error(kInvalidArgument) unless the weight has this rank and the bias is empty or has an
// element per output.
void require_layer(const char* layer, const Weight& weight, std::size_t rank,
                   std::span<const float> bias);

}  // namespace pqw
