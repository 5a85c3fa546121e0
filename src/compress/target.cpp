// Sizes as text.
#include "pqw/compress/target.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "core/subject.h"

namespace pqw {

std::uint64_t parse_size(std::string_view text) {
  static const std::vector<std::pair<std::string, double>> kUnits = {{"", 1},
                                                                     {"B", 1},
                                                                     {"kB", 1e3},
                                                                     {"KB", 1e3},
                                                                     {"MB", 1e6},
                                                                     {"GB", 1e9},
                                                                     {"KiB", 1ull << 10},
                                                                     {"MiB", 1ull << 20},
                                                                     {"GiB", 1ull << 30}};
  constexpr double kMost = 0x1p62;
  const Words names = {"B", "KB", "MB", "GB", "KiB", "MiB", "GiB"};
  double number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  if (status != std::errc() || !(number > 0)) {
    throw invalid_argument("size '{}': expected a number above 0 and a unit, such as 4MB",
                           shown(text));
  }
  const auto known = std::ranges::find(kUnits, unit, &decltype(kUnits)::value_type::first);
  if (known == kUnits.end()) {
    const std::string likely = std::string(unit) + (unit.size() == 1 ? "B" : "");
    throw invalid_argument("size '{}': unknown unit '{}': expected {}{}", shown(text), shown(unit),
                           listed(names), did_you_mean(likely, names));
  }
  if (!(number * known->second >= 1 && number * known->second < kMost)) {
    throw invalid_argument("size '{}': expected at least one byte and at most 4e9 GB", shown(text));
  }
  return static_cast<std::uint64_t>(number * known->second);
}

}  // namespace pqw
