// Mistyped words: the one that was meant.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pqw {

using Words = std::vector<std::string>;

// The word that differs least from `word`, where that is little: one edit (a letter more, less,
// changed, or two swapped) for every three letters, or the rest of a word that was begun. Case, and
// '-' for '_', count nothing. Empty when none is near. Of words that are equally near the first.
std::string nearest(std::string_view word, const Words& words);

// "; did you mean 'WORD'?" for the end of a message, or nothing.
std::string did_you_mean(std::string_view word, const Words& words);

// "a, b or c"
std::string listed(const Words& words);

}  // namespace pqw
