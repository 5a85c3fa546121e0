// Reading one option of a codec from text, and saying what is wrong with it.
#pragma once

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "pqw/core/error.h"

namespace pqw {

inline constexpr const char* kWholeNumber = "a whole number";

[[noreturn]] inline void bad_value(std::string_view key, std::string_view value,
                                   std::string_view expected) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{}={}: expected {}", key, value, expected));
}

// `known` lists the options that the codec has: "a, b or c".
[[noreturn]] inline void unknown_option(std::string_view codec, std::string_view key,
                                        std::string_view known) {
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("codec {}: unknown option '{}': expected {}", codec, key, known));
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
