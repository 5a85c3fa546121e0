// Text for people: names that cannot harm a terminal, and sizes.
#pragma once

#include <string>
#include <string_view>

namespace pqw {

// The text with control characters (C0, DEL, and C1 in UTF-8) and backslashes escaped as \n, \t,
// \\ or \xHH.
std::string printable(std::string_view text);

}  // namespace pqw
