// Characters of UTF-8 (RFC 3629, section 4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pqw {

struct Utf8Character {
  std::size_t n_bytes = 0;  // 0: the text does not start with a character
  std::uint32_t code_point = 0;
};

// The first character of a text. Overlong forms, surrogates and code points beyond U+10FFFF are
// not characters.
Utf8Character first_character(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace pqw
