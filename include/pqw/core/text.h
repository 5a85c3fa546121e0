// Text for people: names that cannot harm a terminal.
#pragma once

#include <string>
#include <string_view>

namespace pqw {

// The text as one line of UTF-8 that cannot control a terminal: control characters, line
// separators, marks that change the direction of text, and bytes that are not UTF-8 become \n, \t
// or \xHH. Applying it twice changes nothing more.
std::string printable(std::string_view text);

// As printable. A text of more than 200 bytes is cut at the end of a character and followed by
// "... (N bytes)".
std::string shown(std::string_view text);

// "tensor 'NAME'", with the name as `shown` has it.
std::string quoted(std::string_view kind, std::string_view name);

}  // namespace pqw
