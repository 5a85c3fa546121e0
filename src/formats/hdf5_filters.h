// HDF5 filters: which ones pqw reads, and advice for the others.
#pragma once

#include <span>
#include <string>

namespace pqw {

// Why pqw does not read a dataset that is packed with these filters (numbers of HDF5's registry),
// and what the owner of the file can do; empty if pqw reads it.
std::string obstacle_in_filters(std::span<const int> filters);

}  // namespace pqw
