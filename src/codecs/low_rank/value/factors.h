// The factors of low-rank weights as parts.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "codecs/parts.h"

namespace pqw {

// Their names in a record.
inline constexpr char kOuter[] = "outer";
inline constexpr char kInner[] = "inner";

// "rank=64", then the codecs of the factors unless they are plain.
std::string low_rank_summary(std::size_t rank, const std::vector<PartSummary>& factors);

}  // namespace pqw
