// Text for people: names that cannot harm a terminal.
#include "pqw/core/text.h"

#include <algorithm>

#include "core/utf8.h"

namespace pqw {
namespace {

constexpr std::size_t kMostShown = 200;

void append_escaped(std::string& out, char c) {
  constexpr char kDigits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(c);
  if (c == '\n') {
    out += "\\n";
  } else if (c == '\t') {
    out += "\\t";
  } else {
    out += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
  }
}

bool is_plain(const Utf8Character& c) {
  const auto between = [&](std::uint32_t first, std::uint32_t last) {
    return c.code_point >= first && c.code_point <= last;
  };
  const bool is_control = between(0, 0x1f) || between(0x7f, 0x9f);
  const bool turns_lines = between(0x2028, 0x202e) || between(0x2066, 0x2069);
  return c.n_bytes > 0 && !is_control && !turns_lines;
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0u) == 0x80u; }

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Utf8Character c = first_character(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(c.n_bytes, 1));
    if (is_plain(c)) {
      out += bytes;
    } else {
      for (const char byte : bytes) append_escaped(out, byte);
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

std::string shown(std::string_view text) {
  if (text.size() <= kMostShown) return printable(text);
  constexpr std::size_t kMostFollowing = 3;  // continuation bytes of a character
  std::size_t keep = kMostShown;
  while (keep > kMostShown - kMostFollowing && is_continuation(text[keep])) --keep;
  return printable(text.substr(0, keep)) + "... (" + std::to_string(text.size()) + " bytes)";
}

std::string quoted(std::string_view kind, std::string_view name) {
  return std::string(kind) + " '" + shown(name) + "'";
}

}  // namespace pqw
