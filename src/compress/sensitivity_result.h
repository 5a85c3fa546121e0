// What is said of each tensor after its harm was measured.
#pragma once

#include <span>
#include <vector>

#include "compress/tensor_units.h"
#include "pqw/compress/recipe.h"
#include "pqw/compress/sensitivity.h"

namespace pqw {

// The tensors of the units, in the order of the file. Tensors with the same values share the harm of
// their unit, and its importance. `harms` are by unit and point. `groups` are the units that were
// measured together, in their order; empty: each was measured alone.
std::vector<TensorSensitivity> sensitivities(const WeightReader& originals,
                                             const TensorUnits& units,
                                             std::span<const std::vector<double>> harms,
                                             std::span<const HarmGroup> groups);

// A rule for each tensor, with its importance.
std::vector<Rule> importance_rules(std::span<const TensorSensitivity> tensors);

}  // namespace pqw
