// Text for people: names that cannot harm a terminal.
#include "pqw/core/text.h"

namespace pqw {
namespace {

void append_hex(std::string& out, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  out += kDigits[byte >> 4];
  out += kDigits[byte & 15];
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : '\0');
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      append_hex(out, byte);
    } else if (byte == 0xc2 && next >= 0x80 && next <= 0x9f) {  // U+0080 .. U+009F
      append_hex(out, byte);
      append_hex(out, next);
      ++i;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string quoted(std::string_view kind, std::string_view name) {
  constexpr std::size_t kMaxShown = 200;
  const bool cut = name.size() > kMaxShown;
  return std::string(kind) + " '" + printable(name.substr(0, kMaxShown)) + (cut ? "...'" : "'");
}

}  // namespace pqw
