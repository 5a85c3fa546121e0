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

// Removes characters from the start of `text`, and returns them in printable form, which takes at
// most that many bytes.
std::string take_printable(std::string_view& text, std::size_t most_bytes) {
  std::string out;
  while (!text.empty()) {
    const std::size_t before = out.size();
    const Utf8Character c = first_character(text);
    const std::string_view bytes = text.substr(0, std::max<std::size_t>(c.n_bytes, 1));
    if (is_plain(c)) {
      out += bytes;
    } else {
      for (const char byte : bytes) append_escaped(out, byte);
    }
    if (out.size() > most_bytes) {
      out.resize(before);
      break;
    }
    text.remove_prefix(bytes.size());
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) { return take_printable(text, std::string::npos); }

std::string shown(std::string_view text) {
  std::string_view rest = text;
  std::string out = take_printable(rest, kMostShown);
  if (!rest.empty()) out += "... (" + std::to_string(text.size()) + " bytes)";
  return out;
}

std::string quoted(std::string_view kind, std::string_view name) {
  return std::string(kind) + " '" + shown(name) + "'";
}

}  // namespace pqw
