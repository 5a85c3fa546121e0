// The filters that HDF5 packs datasets with: which are read, and what helps with the others.
#pragma once

#include <span>
#include <string>

namespace pqw {

// What speaks against reading a dataset that is packed with these filters, by HDF5's numbers for
// them, and what the owner of the file can do; empty when nothing does.
std::string obstacle_in_filters(std::span<const int> filters);

}  // namespace pqw
