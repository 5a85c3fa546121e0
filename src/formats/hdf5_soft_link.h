// Follows soft links of an HDF5 file.
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

// Follows a path from the group at that address, link by link, so that nothing outside the file is
// opened. Follows at most 16 soft links in a row, like HDF5 itself. Adds the number of names that
// it looks up to `n_steps`. Errors: those of HDF5, with `subject`.
SoftLinkEnd follow_soft_link(h5::Id file, std::uint64_t group, const std::string& path,
                             std::size_t& n_steps, const Subject& subject);

}  // namespace pqw
