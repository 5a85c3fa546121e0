// Reports as text tables.
#pragma once

#include <cstddef>
#include <string>

#include "pqw/pipeline/report.h"

namespace pqw::tool {

struct TableStyle {
  bool all = false;  // list plain tensors too
  std::size_t width = 100;
};

// One line per compressed tensor, and a line of totals. One line gives the number, bytes and
// reasons of plain tensors. The columns of errors appear if errors were measured.
std::string to_table(const Report& report, const TableStyle& style);

// The tensors of a weight file: names, types, shapes, bytes.
std::string to_listing(const Report& report, std::size_t width);

}  // namespace pqw::tool
