// Sizes of archives in a search: the size that a target allows, and the size of a choice.
#pragma once

#include <cstdint>
#include <span>

#include "compress/candidates.h"

namespace pqw {

// The bytes that a target of a size allows.
std::uint64_t target_bytes(const SearchInput& input, std::span<const WorkItem> plan);

// The size of the archive in which item i has the tensors stored[i]: as exact as their records.
// stored[i] of an alias is not read.
std::uint64_t archive_size(const SearchInput& input, std::span<const WorkItem> plan,
                           std::span<const SearchItem> items,
                           std::span<const std::vector<StoredTensor>* const> stored);

}  // namespace pqw
