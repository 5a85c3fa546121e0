// The values of options: numbers, and messages about other texts.
#include "codecs/train/fields.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "core/subject.h"

namespace pqw {
namespace {

// The whole text as a number.
template <class T>
std::optional<T> number_from(std::string_view text) {
  T number{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Numbers that `contains` accepts.
template <class T>
Values<T> numbers(std::string shown, std::string expected, std::function<bool(const T&)> contains) {
  const auto parse = [contains](std::string_view text) {
    const std::optional<T> number = number_from<T>(text);
    return number && contains(*number) ? number : std::nullopt;
  };
  const auto text = [](const T& number) { return fmt::format("{}", number); };
  return {std::move(shown), std::move(expected), {}, parse, text};
}

}  // namespace

void bad_value(std::string_view key, std::string_view value, std::string_view expected) {
  throw invalid_argument("{}={}: expected {}", shown(key), shown(value), expected);
}

void unknown_option(std::string_view codec, std::string_view key, Words known,
                    const Words& others) {
  const std::string expected = known.empty() ? "none" : listed(known);
  known.insert(known.end(), others.begin(), others.end());
  const std::size_t dot = key.find('.');
  const std::string typed =
      dot == key.npos ? std::string(key) : std::string(key.substr(0, dot)) + ".KEY";
  throw invalid_argument("codec {}: unknown option '{}': expected {}{}", codec, shown(key),
                         expected, did_you_mean(typed, known));
}

template <std::unsigned_integral T>
Values<T> count(std::type_identity_t<T> low, std::type_identity_t<T> high) {
  std::string shown = "N", expected = "a whole number";
  if (high < std::numeric_limits<T>::max()) {
    shown = fmt::format("{}..{}", low, high);
    expected += fmt::format(" from {} to {}", low, high);
  } else if (low > 0) {
    expected += fmt::format(", {} or more", low);
  }
  return numbers<T>(shown, expected, [=](const T& value) { return value >= low && value <= high; });
}

template Values<unsigned> count<unsigned>(unsigned, unsigned);
template Values<unsigned long> count<unsigned long>(unsigned long, unsigned long);
template Values<unsigned long long> count<unsigned long long>(unsigned long long,
                                                              unsigned long long);

Values<double> share() {
  return numbers<double>("X", "a number above 0, at most 1",
                         [](double value) { return value > 0 && value <= 1; });
}

Values<double> positive() {
  return numbers<double>("X", "a number above 0",
                         [](double value) { return value > 0 && std::isfinite(value); });
}

Values<double> share_below_1() {
  return numbers<double>("X", "a number, 0 or more and below 1",
                         [](double value) { return value >= 0 && value < 1; });
}

}  // namespace pqw
