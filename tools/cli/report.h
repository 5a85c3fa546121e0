// Reports as text tables and as JSON.
#pragma once

#include <cstddef>
#include <string>

#include "cli/json.h"
#include "pqw/pipeline/report.h"
#include "pqw/pipeline/verdict.h"

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

// Appends "tensors", "skipped" and "total". A value is null if it was not measured or is
// infinite.
void append(const Report& report, Json& document);

// `command` halves the mean error; empty: there is none.
Json to_json(const Verdict& verdict, const std::string& command);

// The options of a tensor, as its record in an archive has them. Empty for a text that is not one of
// settings: archives are not trusted.
Settings stored_settings(const std::string& text);

// "engine=faiss,seed=1": the options that are neither defaults of the codec nor in `settings`.
std::string unusual_options(const TensorReport& tensor);

}  // namespace pqw::tool
