// Whether text is UTF-8.
#pragma once

#include <string_view>

namespace pqw {

// False for overlong forms, surrogates and code points beyond U+10FFFF, too.
bool is_utf8(std::string_view text);

}  // namespace pqw
