// Text in aligned columns, as narrow as a terminal.
#include "timing/text_table.h"

#include <algorithm>

namespace pqw::timing {
namespace {

using Rows = std::vector<std::vector<std::string>>;

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0u) != 0x80u; }

std::size_t n_characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, starts_character));
}

// The byte where the character with that index starts.
std::size_t byte_of(std::string_view text, std::size_t character) {
  std::size_t byte = 0;
  for (; byte < text.size(); ++byte) {
    if (starts_character(text[byte]) && character-- == 0) break;
  }
  return byte;
}

// 0 for a column that is left out.
std::vector<std::size_t> natural_widths(const std::vector<Column>& columns, const Rows& rows) {
  std::vector<std::size_t> widths(columns.size());
  for (std::size_t c = 0; c < columns.size(); ++c) {
    for (const auto& cells : rows) widths[c] = std::max(widths[c], n_characters(cells[c]));
    if (widths[c] > 0) widths[c] = std::max(widths[c], n_characters(columns[c].title));
  }
  return widths;
}

std::size_t line_width(const std::vector<std::size_t>& widths) {
  std::size_t sum = 0;
  for (const std::size_t width : widths) sum += width == 0 ? 0 : width + 2;
  return sum == 0 ? 0 : sum - 2;
}

std::vector<std::size_t> least_widths(const std::vector<Column>& columns,
                                      std::vector<std::size_t> widths) {
  for (std::size_t c = 0; c < columns.size(); ++c) {
    if (columns[c].least > 0) widths[c] = std::min(widths[c], columns[c].least);
  }
  return widths;
}

std::vector<std::size_t> fitting_widths(const std::vector<Column>& columns, const Rows& rows,
                                        std::size_t width) {
  std::vector<std::size_t> widths = natural_widths(columns, rows);
  std::vector<std::size_t> least = least_widths(columns, widths);
  while (line_width(least) > width) {
    std::size_t next = columns.size();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (columns[c].rank == 0 || widths[c] == 0) continue;
      if (next == columns.size() || columns[c].rank < columns[next].rank) next = c;
    }
    if (next == columns.size()) break;
    widths[next] = least[next] = 0;
  }
  for (std::size_t excess = line_width(widths); excess > width; --excess) {
    std::size_t widest = columns.size();
    for (std::size_t c = 0; c < columns.size(); ++c) {
      if (widths[c] > least[c] && (widest == columns.size() || widths[c] > widths[widest])) {
        widest = c;
      }
    }
    if (widest == columns.size()) break;
    --widths[widest];
  }
  return widths;
}

}  // namespace

std::string text_table(const std::vector<Column>& columns, const Rows& rows, std::size_t width) {
  const std::vector<std::size_t> widths = fitting_widths(columns, rows, width);
  Rows lines(1);
  for (const Column& column : columns) lines[0].push_back(column.title);
  lines.insert(lines.end(), rows.begin(), rows.end());
  std::string text;
  for (const auto& cells : lines) {
    std::string line;
    for (std::size_t c = 0; c < widths.size(); ++c) {
      if (widths[c] == 0) continue;
      const std::string cell = cut_in_middle(cells[c], widths[c]);
      const std::string spaces(widths[c] - n_characters(cell), ' ');
      line += columns[c].left_aligned ? cell + spaces : spaces + cell;
      line += "  ";
    }
    line.resize(line.find_last_not_of(' ') + 1);
    text += cut_in_middle(line, width) + "\n";
  }
  return text;
}

std::string cut_in_middle(std::string_view text, std::size_t width) {
  constexpr std::string_view kDots = "...";
  const std::size_t n = n_characters(text);
  if (n <= width) return std::string(text);
  if (width <= kDots.size()) return std::string(text.substr(0, byte_of(text, width)));
  const std::size_t kept = width - kDots.size();
  std::string cut(text.substr(0, byte_of(text, kept / 2)));
  return cut.append(kDots).append(text.substr(byte_of(text, n - (kept - kept / 2))));
}

}  // namespace pqw::timing
