// Which tensors of a file equal another one and are stored as its alias.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "pqw/formats/weight_file.h"
#include "pqw/pipeline/plan.h"

namespace pqw {

// For each tensor the first one that it equals in type, shape and bytes and that the plan treats
// alike, where an archive is not larger with an alias in its place. Nothing for that first one
// itself, for layers of joint tensors and for adopted ones. Reads tensors that have others of their
// type and shape, one at a time, those of equal hashes once more; equal are those of equal SHA-256.
// Errors: those of the reader.
// REQUIRES: the plan is that of the reader's tensors.
std::vector<std::optional<std::size_t>> find_aliases(const WeightReader& reader,
                                                     std::span<const PlanEntry> plan);

}  // namespace pqw
