// Text for people: names that cannot harm a terminal.
#pragma once

#include <string>
#include <string_view>

namespace pqw {

// The text with control characters (C0, DEL, and C1 in UTF-8) replaced by \n, \t or \xHH.
std::string printable(std::string_view text);

// "tensor 'NAME'", printable and of bounded length: the subject of a message.
std::string quoted(std::string_view kind, std::string_view name);

}  // namespace pqw
