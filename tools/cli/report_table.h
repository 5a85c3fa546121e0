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

// A line per compressed tensor and one for all of them; plain tensors are one line with their
// number, bytes and reasons. The columns of errors are there when measured.
std::string to_table(const Report& report, const TableStyle& style);

// The tensors of a weight file: names, types, shapes, bytes.
std::string to_listing(const Report& report, std::size_t width);

}  // namespace pqw::tool
