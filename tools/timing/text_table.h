// Text in aligned columns.
#pragma once

#include <string>
#include <vector>

namespace pqw::timing {

struct Column {
  std::string title;
  bool left_aligned = false;
};

// The titles, then the rows, two spaces between columns. REQUIRES: a cell per column in each row.
std::string text_table(const std::vector<Column>& columns,
                       const std::vector<std::vector<std::string>>& rows);

}  // namespace pqw::timing
