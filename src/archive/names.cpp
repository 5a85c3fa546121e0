// Names of tensors as texts of an index, and as names of HDF5 links.
#include <fmt/format.h>

#include "archive/layout.h"
#include "core/utf8.h"

namespace pqw::archive {
namespace {

std::string escape(char c) { return fmt::format("%{:02X}", static_cast<unsigned char>(c)); }

// Every %XX as its byte; empty for a '%' that is followed by anything else.
std::optional<std::string> unescaped(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string name;
  name.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      name += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const std::size_t high = kDigits.find(text[i + 1]);
    const std::size_t low = kDigits.find(text[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return name;
}

std::string link_from_name(std::string_view name) {
  if (name.empty()) return "%";
  if (name == ".") return "%2E";
  std::string link;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool needs_escape = c == '/' || c == '%' || byte < 0x20 || byte == 0x7f;
    link += needs_escape ? escape(c) : std::string(1, c);
  }
  return link;
}

}  // namespace

std::string text_from_name(std::string_view name) {
  std::string text;
  text.reserve(name.size());
  while (!name.empty()) {
    const std::size_t n_bytes = first_character(name).n_bytes;
    if (n_bytes == 0 || name[0] == '%') {
      text += escape(name[0]);
      name.remove_prefix(1);
    } else {
      text += name.substr(0, n_bytes);
      name.remove_prefix(n_bytes);
    }
  }
  return text;
}

// Escapes that were not needed would give one tensor two names.
std::optional<std::string> name_from_text(std::string_view text) {
  std::optional<std::string> name = unescaped(text);
  return name && text_from_name(*name) == text ? name : std::nullopt;
}

std::optional<std::string> name_from_link(std::string_view link) {
  if (link == "%") return "";
  std::optional<std::string> name = unescaped(link);
  return name && link_from_name(*name) == link ? name : std::nullopt;
}

}  // namespace pqw::archive
