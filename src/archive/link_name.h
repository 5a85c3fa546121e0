// Converts names of tensors to names of HDF5 links, and back.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pqw::archive {

// '/', '%', bytes below 0x20 and 0x7f become %XX with upper-case digits; the name "." becomes
// "%2E" and the empty name "%". Every other byte stays. Different names give different links.
std::string link_from_name(std::string_view name);

// The inverse; empty for a link that link_from_name never gives.
std::optional<std::string> name_from_link(std::string_view link);

}  // namespace pqw::archive
