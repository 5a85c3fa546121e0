// Characters of UTF-8 (RFC 3629, section 4).
#include "core/utf8.h"

namespace pqw {
namespace {

struct Lead {
  std::size_t n_following;  // continuation bytes
  std::uint32_t bits;       // of the code point
  std::uint32_t smallest;   // code point that needs this many bytes
};

// A byte that cannot start a character gets a code point below its smallest.
Lead lead_of(unsigned char byte) {
  const std::uint32_t value = byte;
  if (value < 0x80) return {0, value, 0};
  if ((value & 0xe0u) == 0xc0) return {1, value & 0x1fu, 0x80};
  if ((value & 0xf0u) == 0xe0) return {2, value & 0x0fu, 0x800};
  if ((value & 0xf8u) == 0xf0) return {3, value & 0x07u, 0x10000};
  return {0, 0, 1};
}

}  // namespace

Utf8Character first_character(std::string_view text) {
  if (text.empty()) return {};
  const Lead lead = lead_of(static_cast<unsigned char>(text[0]));
  if (text.size() <= lead.n_following) return {};
  std::uint32_t code_point = lead.bits;
  for (std::size_t i = 1; i <= lead.n_following; ++i) {
    const std::uint32_t byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0u) != 0x80) return {};
    code_point = code_point << 6 | (byte & 0x3fu);
  }
  const bool is_surrogate = code_point >= 0xd800 && code_point <= 0xdfff;
  if (code_point < lead.smallest || is_surrogate || code_point > 0x10ffff) return {};
  return {lead.n_following + 1, code_point};
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t n_bytes = first_character(text).n_bytes;
    if (n_bytes == 0) return false;
    text.remove_prefix(n_bytes);
  }
  return true;
}

}  // namespace pqw
