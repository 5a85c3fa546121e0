// Finding the tensors of a generic HDF5 file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "h5/handle.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct Hdf5Tensor {
  TensorInfo info;
  std::uint64_t address = 0;  // of the dataset's header
  bool big_endian = false;
  std::size_t stored_as = 0;  // the first tensor of that address
};

struct Hdf5Content {
  std::vector<Hdf5Tensor> tensors;  // group by group, names ascending
  std::vector<Skipped> skipped;     // one for each link that leads to no tensor
  Metadata metadata;                // texts in attributes of groups (hdf5_attributes.h)
};

// Of all groups together, each name of a group counted.
inline constexpr std::size_t kMaxHdf5Links = std::size_t{1} << 20;

// Follows hard links and soft links within the file, and lists an object under every name. Does not
// follow a link back into a group that contains it. Checks that the data of every tensor lies in
// this file, is packed with known filters, and unpacks to no more than the size of the file can
// explain; second names of tensors have a limit of their own (formats/expansion.h). Errors:
// kFormat, kUnsupported (a tensor that cannot be read; more groups, links or bytes of names than
// any file of weights has).
Hdf5Content walk_hdf5(h5::Id file, std::uint64_t file_bytes, const std::string& path,
                      std::size_t max_links = kMaxHdf5Links);

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

// Why pqw does not read a dataset that is packed with these filters (numbers of HDF5's registry),
// and what the owner of the file can do; empty if pqw reads it.
std::string obstacle_in_filters(std::span<const int> filters);

}  // namespace pqw
