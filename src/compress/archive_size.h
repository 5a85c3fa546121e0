// Sizes of archives in a search: the one that a target asks for, and the one that a choice has.
#pragma once

#include <cstdint>
#include <span>

#include "compress/candidates.h"

namespace pqw {

// The bytes that a target of a size allows.
std::uint64_t target_bytes(const SearchInput& input, std::span<const WorkItem> plan);

// The exact size of the archive in which item i has the tensors stored[i]; those of aliases are
// not read.
std::uint64_t archive_size(const SearchInput& input, std::span<const WorkItem> plan,
                           std::span<const SearchItem> items,
                           std::span<const std::vector<StoredTensor>* const> stored);

}  // namespace pqw
