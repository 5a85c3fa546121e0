// The record of a pq weight without its values.
#pragma once

#include <string>

#include "pqw/codecs/pq.h"

namespace pqw {

// Needs the head of the weight and its counts; it may be without codebooks and codes.
Record pq_outline(const PqWeight& weight, const std::string& name);

}  // namespace pqw
