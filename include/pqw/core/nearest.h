// Finds the word that a mistyped word probably means.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pqw {

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
