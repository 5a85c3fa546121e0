// Reading one option of a codec from text, and saying what is wrong with it.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "pqw/core/error.h"
#include "pqw/core/nearest.h"

namespace pqw {

inline constexpr const char* kWholeNumber = "a whole number";

[[noreturn]] inline void bad_value(std::string_view key, std::string_view value,
                                   std::string_view expected) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{}={}: expected {}", key, value, expected));
}

// bad_value for an option whose values are words.
[[noreturn]] inline void bad_word(std::string_view key, std::string_view value,
                                  const Words& words) {
  bad_value(key, value, listed(words) + did_you_mean(value, words));
}

// `known` lists the options that the codec has.
[[noreturn]] inline void unknown_option(std::string_view codec, std::string_view key, Words known) {
  const std::string expected = known.empty() ? "none" : listed(known);
  // Keys of settings that are not options of a codec (codecs/settings.h).
  known.insert(known.end(), {"codec", "factors.KEY", "fallback.KEY", "non_finite", "thin"});
  const std::size_t dot = key.find('.');
  const std::string typed =
      dot == key.npos ? std::string(key) : std::string(key.substr(0, dot)) + ".KEY";
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("codec {}: unknown option '{}': expected {}{}", codec, key, expected,
                          did_you_mean(typed, known)));
}

// The choice that `value` names, or bad_word.
template <class T>
T parse_word(std::string_view key, std::string_view value,
             std::initializer_list<std::pair<const char*, T>> choices) {
  Words words;
  for (const auto& [word, choice] : choices) {
    if (value == word) return choice;
    words.emplace_back(word);
  }
  bad_word(key, value, words);
}

// The whole text as a number, or bad_value.
template <class T>
T parse_number(std::string_view key, std::string_view value, std::string_view expected) {
  T number{};
  const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (status != std::errc() || end != value.data() + value.size()) bad_value(key, value, expected);
  return number;
}

}  // namespace pqw
