// Reports as text tables.
#include "pqw/report_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "pqw/console.h"
#include "pqw/core/text.h"

namespace pqw::tool {
namespace {

enum Column { kName, kShape, kCodec, kSettings, kBits, kError, kSqnr, kMax, kRatio, kNote };
constexpr std::size_t kColumns = kNote + 1;
using Row = std::array<std::string, kColumns>;

Row header() {
  return {"tensor",    "shape",   "codec",   "settings", "bits/w",
          "rel.error", "SQNR dB", "max err", "ratio",    "note"};
}

void set_errors(const Distortion& distortion, Row& row) {
  row[kError] = fmt::format("{:.5f}", distortion.relative_error());
  row[kSqnr] = fmt::format("{:.2f}", distortion.sqnr_db());
  row[kMax] = fmt::format("{:.4g}", distortion.max_abs_error());
}

Row row_of(const TensorReport& tensor) {
  Row row;
  row[kName] = printable(tensor.info.name);
  row[kShape] = to_string(tensor.info.shape);
  row[kCodec] = tensor.codec;
  row[kSettings] = tensor.settings;
  row[kBits] = fmt::format("{:.3f}", tensor.bits_per_weight());
  const bool differs = tensor.distortion && tensor.distortion->squared_error() > 0;
  if (tensor.distortion && (tensor.compressed() || differs)) set_errors(*tensor.distortion, row);
  if (tensor.compressed() && tensor.bytes > 0) {
    row[kRatio] = fmt::format(
        "{:.2f}", static_cast<double>(tensor.original_bytes()) / static_cast<double>(tensor.bytes));
  }
  row[kNote] = printable(tensor.note);
  return row;
}

Row total_row(const Report& report) {
  Row row;
  row[kName] = fmt::format("total of {}", report.tensors.size());
  row[kBits] = fmt::format("{:.3f}", report.bits_per_weight());
  if (const auto distortion = report.distortion()) set_errors(*distortion, row);
  row[kRatio] = fmt::format("{:.2f}", report.ratio());
  row[kNote] = fmt::format("{} -> {} ({} bytes on disk)",
                           human_bytes(static_cast<double>(report.original_bytes())),
                           human_bytes(static_cast<double>(report.file_bytes)), report.file_bytes);
  return row;
}

bool left_aligned(std::size_t column) {
  return column == kName || column == kShape || column == kCodec || column == kSettings ||
         column == kNote;
}

}  // namespace

std::string to_table(const Report& report) {
  std::vector<Row> rows{header()};
  for (const TensorReport& tensor : report.tensors) rows.push_back(row_of(tensor));
  rows.push_back(total_row(report));
  std::array<std::size_t, kColumns> widths{};
  for (const Row& row : rows) {
    for (std::size_t c = 0; c < kColumns; ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  const bool measured = report.distortion().has_value();
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t c = 0; c < kColumns; ++c) {
      if (!measured && (c == kError || c == kSqnr || c == kMax)) continue;
      line += left_aligned(c) ? fmt::format("{:<{}}  ", row[c], widths[c])
                              : fmt::format("{:>{}}  ", row[c], widths[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace pqw::tool
