// Reports as text tables.
#include "cli/report_table.h"

#include <fmt/format.h>

#include <vector>

#include "cli/console.h"
#include "pqw/core/text.h"
#include "timing/text_table.h"

namespace pqw::tool {
namespace {

enum Cell {
  kName,
  kShape,
  kCodec,
  kSettings,
  kBits,
  kError,
  kAmplitude,
  kSqnr,
  kMax,
  kRatio,
  kNote
};
using Row = std::vector<std::string>;

const std::vector<timing::Column> kColumns = {{"tensor", true},   {"shape", true}, {"codec", true},
                                              {"settings", true}, {"bits/w"},      {"rel.error"},
                                              {"amplitude"},      {"SQNR dB"},     {"max err"},
                                              {"ratio"},          {"note", true}};

constexpr const char* kLegend =
    "amplitude: how much of a layer's signal survives compression; 1 is unbiased\n";

void set_errors(const Distortion& distortion, Row& row) {
  row[kError] = fmt::format("{:.5f}", distortion.relative_error());
  row[kAmplitude] = fmt::format("{:.4f}", distortion.amplitude());
  row[kSqnr] = fmt::format("{:.2f}", distortion.sqnr_db());
  row[kMax] = fmt::format("{:.4g}", distortion.max_abs_error());
}

Row row_of(const TensorReport& tensor) {
  Row row(kColumns.size());
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
  Row row(kColumns.size());
  row[kName] = fmt::format("total of {}", report.tensors.size());
  row[kBits] = fmt::format("{:.3f}", report.bits_per_weight());
  if (const auto distortion = report.distortion()) set_errors(*distortion, row);
  row[kRatio] = fmt::format("{:.2f}", report.ratio());
  row[kNote] = fmt::format("{} -> {} ({} bytes on disk)",
                           human_bytes(static_cast<double>(report.original_bytes())),
                           human_bytes(static_cast<double>(report.file_bytes)), report.file_bytes);
  return row;
}

// "229760 -> 90624 parameters (0.39)"; empty when factors do not change the number of parameters.
std::string parameters_line(const Report& report) {
  const std::size_t before = report.original_parameters(), after = report.parameters();
  if (before == after) return "";
  return fmt::format("{} -> {} parameters ({:.2f})\n", before, after,
                     static_cast<double>(after) / static_cast<double>(before));
}

}  // namespace

std::string to_table(const Report& report) {
  std::vector<Row> rows;
  for (const TensorReport& tensor : report.tensors) rows.push_back(row_of(tensor));
  rows.push_back(total_row(report));
  std::vector<timing::Column> columns = kColumns;
  const bool measured = report.distortion().has_value();
  if (!measured) {
    const auto drop_errors = [](auto& cells) {
      cells.erase(cells.begin() + kError, cells.begin() + kMax + 1);
    };
    drop_errors(columns);
    for (Row& row : rows) drop_errors(row);
  }
  return timing::text_table(columns, rows) + parameters_line(report) + (measured ? kLegend : "");
}

}  // namespace pqw::tool
