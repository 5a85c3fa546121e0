// Text for people: names that cannot harm a terminal, and words that were probably meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

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

using Words = std::vector<std::string>;

// The nearest of `words`, the first of several; empty if none is near. A word is near if it is at
// most one edit per three letters away (a letter added, removed, changed or swapped with its
// neighbour), or if `word` is its beginning. Case and '-' or '_' do not matter.
std::string nearest(std::string_view word, const Words& words);

// "; did you mean 'WORD'?" for the end of a message, or nothing.
std::string did_you_mean(std::string_view word, const Words& words);

// "a, b or c"
std::string listed(const Words& words);

}  // namespace pqw
