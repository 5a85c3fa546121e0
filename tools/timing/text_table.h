// Prints text in aligned columns that fit the width of a terminal.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace pqw::timing {

struct Column {
  std::string title;
  bool left_aligned = false;
  std::size_t least = 0;  // cells may be cut in the middle to this width; 0: they are not cut
  int rank = 0;  // of columns that may be left out, those of the lowest rank go first; 0: stays
};

// The titles, then the rows, two spaces between columns. Columns without text are left out. Lines
// that are wider than `width` get shorter: cells are cut, then columns are left out.
// REQUIRES: a cell of UTF-8 per column in each row.
std::string text_table(const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows,
                       std::size_t width = std::numeric_limits<std::size_t>::max());

// The text with dots in its middle if it has more than `width` characters. REQUIRES: UTF-8.
std::string cut_in_middle(std::string_view text, std::size_t width);

}  // namespace pqw::timing
