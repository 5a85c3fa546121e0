// Finds the tensors of a file that equal another one and are stored as its alias.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "pqw/compress/plan.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// For each tensor: the first tensor with equal type, shape, bytes and treatment in the plan, if an
// alias in its place does not make the archive larger. Empty for that first tensor itself, for
// layers of joint tensors and for adopted tensors. Reads, one at a time, only tensors whose type
// and shape occur more than once, and those with equal hashes a second time; equal SHA-256 means
// equal bytes. Errors: those of the reader. REQUIRES: the plan is that of the reader's tensors.
std::vector<std::optional<std::size_t>> find_aliases(const WeightReader& reader,
                                                     std::span<const PlanEntry> plan);

}  // namespace pqw
