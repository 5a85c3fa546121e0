// The name of the variant over all representations, for those that hold others of its kind.
#pragma once

#include <variant>

namespace pqw {

struct Int8Weight;
struct LowRankWeight;
struct PlainWeight;
struct PqWeight;
struct TensorizedWeight;
using Weight = std::variant<PlainWeight, PqWeight, Int8Weight, LowRankWeight, TensorizedWeight>;

}  // namespace pqw
