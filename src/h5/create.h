// Link lists and dataspaces, for everything that is created.
#pragma once

#include <cstddef>
#include <span>

#include "h5/handle.h"

namespace pqw::h5 {

// The property list of links that this module creates: names are UTF-8.
Handle link_list(const Subject& subject);

// A scalar for an empty shape. REQUIRES: at most kMaxRank dimensions.
Handle create_space(std::span<const std::size_t> shape, const Subject& subject);

}  // namespace pqw::h5
