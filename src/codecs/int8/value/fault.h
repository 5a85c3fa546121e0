// Checks an int8 weight.
#pragma once

#include <string>

#include "pqw/codecs/int8.h"

namespace pqw {

// True for values that the type rounds to infinity (F64 counts as float: weights decode to float).
bool overflows(float value, DType dtype);

// Empty when the counts fit the shape, and scales and decoded values are as int8.h says.
std::string fault_of(const Int8Weight& weight);

}  // namespace pqw
