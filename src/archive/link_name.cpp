// Names of tensors as names of HDF5 links.
#include <fmt/format.h>

#include "archive/layout.h"

namespace pqw::archive {
namespace {

bool needs_escape(unsigned char byte) {
  return byte == '/' || byte == '%' || byte < 0x20 || byte == 0x7f;
}

}  // namespace

std::string link_from_name(std::string_view name) {
  if (name.empty()) return "%";
  if (name == ".") return "%2E";
  std::string link;
  link.reserve(name.size());
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (needs_escape(byte)) {
      link += fmt::format("%{:02X}", byte);
    } else {
      link += c;
    }
  }
  return link;
}

std::optional<std::string> name_from_link(std::string_view link) {
  if (link == "%") return "";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string name;
  name.reserve(link.size());
  for (std::size_t i = 0; i < link.size(); ++i) {
    if (link[i] != '%') {
      name += link[i];
      continue;
    }
    if (i + 2 >= link.size()) return std::nullopt;
    const std::size_t high = kDigits.find(link[i + 1]);
    const std::size_t low = kDigits.find(link[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  // Escapes that were not needed would give one tensor two names.
  if (link_from_name(name) != link) return std::nullopt;
  return name;
}

}  // namespace pqw::archive
