// Where a soft link of an HDF5 file leads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "h5/handle.h"

namespace pqw {

struct SoftLinkEnd {
  std::optional<std::uint64_t> address;  // of the object
  std::string problem = {};              // why there is none: "does not exist"
  bool leaves_file = false;              // as a link on the way does
};

// Follows a path from the group at that address, link by link, so that nothing outside of the file
// is opened: 16 soft links one after another at most, as HDF5 itself allows. Adds the number of
// names it looked up to `n_steps`. Errors: those of HDF5, as context says.
SoftLinkEnd follow_soft_link(h5::Id file, std::uint64_t group, const std::string& path,
                             std::size_t& n_steps, const h5::Context& context);

}  // namespace pqw
