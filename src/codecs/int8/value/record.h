// The record of an int8 weight without its values.
#pragma once

#include <string>

#include "pqw/codecs/int8.h"

namespace pqw {

// Needs the head of the weight, the numbers of its scales and zero points, and its activations.
Record int8_outline(const Int8Weight& weight, const std::string& name);

}  // namespace pqw
