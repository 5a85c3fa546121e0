// Text in aligned columns.
#include "timing/text_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace pqw::timing {

std::string text_table(const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::vector<std::string>> lines(1);
  for (const Column& column : columns) lines[0].push_back(column.title);
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::vector<std::size_t> widths(columns.size());
  for (const auto& cells : lines) {
    for (std::size_t c = 0; c < widths.size(); ++c)
      widths[c] = std::max(widths[c], cells[c].size());
  }
  std::string text;
  for (const auto& cells : lines) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      line += columns[c].left_aligned ? fmt::format("{:<{}}  ", cells[c], widths[c])
                                      : fmt::format("{:>{}}  ", cells[c], widths[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace pqw::timing
