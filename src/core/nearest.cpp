// Finds the word that a mistyped word probably means.
#include <algorithm>

#include "pqw/core/text.h"

namespace pqw {
namespace {

constexpr std::size_t kLongestWord = 100;  // a longer text is not a word and would take time

std::string plain(std::string_view word) {
  std::string result(word);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-') c = '_';
  }
  return result;
}

// The number of edits between two words; swapping neighbours is one edit (optimal string
// alignment). Row i of the table: edits from the first i letters of `a` to the first j of `b`.
std::size_t edits(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> table(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      std::size_t& least = table[i][j];
      least = std::max(i, j);
      if (i == 0 || j == 0) continue;
      const bool equal = a[i - 1] == b[j - 1];
      least = std::min(
          {table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (equal ? 0u : 1u)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        least = std::min(least, table[i - 2][j - 2] + 1);
      }
    }
  }
  return table[a.size()][b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const Words& words) {
  constexpr std::size_t kLettersPerEdit = 3, kLeastBegun = 3;
  if (word.empty() || word.size() > kLongestWord) return "";
  const std::string typed = plain(word);
  std::string best;
  std::size_t least = typed.size();  // as many edits would replace every letter
  for (const std::string& candidate : words) {
    const std::string meant = plain(candidate);
    const bool begun =
        typed.size() >= kLeastBegun && typed.size() < meant.size() && meant.starts_with(typed);
    const std::size_t distance = begun ? 1 : edits(typed, meant);
    const std::size_t most = std::max<std::size_t>(1, meant.size() / kLettersPerEdit);
    if (distance > most || distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best;
}

std::string did_you_mean(std::string_view word, const Words& words) {
  const std::string meant = nearest(word, words);
  return meant.empty() ? "" : "; did you mean '" + meant + "'?";
}

std::string listed(const Words& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace pqw
