// Reports as text tables.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

#include "cli/console.h"
#include "cli/report.h"
#include "pqw/core/text.h"
#include "timing/text_table.h"

namespace pqw::tool {
namespace {

enum Cell {
  kName,
  kShape,
  kKind,
  kCodec,
  kSettings,
  kBits,
  kError,
  kOutputError,
  kAmplitude,
  kSqnr,
  kMax,
  kRatio,
  kNote
};
using Row = std::vector<std::string>;

// Without room the columns go first that follow from others.
const std::vector<timing::Column> kColumns = {{"tensor", true, 20},
                                              {"shape", true, 0, 4},
                                              {"kind", true, 0, 5},
                                              {"codec", true},
                                              {"settings", true, 26, 6},
                                              {"bits/w"},
                                              {"rel.error"},
                                              {"out.error"},
                                              {"amplitude", false, 0, 7},
                                              {"SQNR dB", false, 0, 2},
                                              {"max err", false, 0, 1},
                                              {"ratio", false, 0, 3},
                                              {"note", true, 12, 5}};

double number(std::uint64_t n) { return static_cast<double>(n); }

// Whether a plain tensor is not what it was.
bool differs(const TensorReport& tensor) {
  return tensor.distortion && !(tensor.distortion->squared_error() == 0);
}

void set_errors(const Distortion& distortion, Row& row) {
  row[kError] = fmt::format("{:.5f}", distortion.relative_error());
  row[kAmplitude] = fmt::format("{:.4f}", distortion.amplitude());
  row[kSqnr] = fmt::format("{:.2f}", distortion.sqnr_db());
  row[kMax] = fmt::format("{:.4g}", distortion.max_abs_error());
}

// Whether there are input statistics.
bool judges_outputs(const Report& report) {
  return std::ranges::any_of(
      report.tensors, [](const TensorReport& tensor) { return tensor.output_error.has_value(); });
}

void set_output_error(const std::optional<OutputError>& error, Row& row) {
  row[kOutputError] = error ? fmt::format("{:.5f}", error->relative()) : "-";
}

// What the settings do not say.
std::string note_of(const TensorReport& tensor) {
  return tensor.note.empty() ? unusual_options(tensor) : tensor.note;
}

// "conv", or "conv hwio" if the file has another order than [out, in, kernel...].
std::string kind_of(const TensorInfo& info) {
  const Layout& layout = info.layout;
  std::string text(layout.kind == Kind::kUnknown ? "" : to_string(layout.kind));
  if (layout.axes.empty()) return text;
  if (!text.empty()) text += ' ';
  return text + letters_of(layout.axes, info.shape.size());
}

Row row_of(const TensorReport& tensor, bool has_outputs) {
  Row row(kColumns.size());
  row[kName] = printable(tensor.info.name);
  row[kShape] = to_string(tensor.info.shape);
  row[kKind] = kind_of(tensor.info);
  row[kCodec] = tensor.codec;
  row[kSettings] = tensor.settings;
  row[kBits] = fmt::format("{}{:.3f}", tensor.at_most ? "<=" : "", tensor.bits_per_weight());
  if (tensor.distortion && (tensor.compressed() || differs(tensor))) {
    set_errors(*tensor.distortion, row);
    if (has_outputs) set_output_error(tensor.output_error, row);
  }
  if (tensor.compressed() && tensor.bytes > 0) {
    row[kRatio] = fmt::format("{:.2f}", number(tensor.original_bytes()) / number(tensor.bytes));
  }
  row[kNote] = printable(note_of(tensor));
  return row;
}

Row total_row(const Report& report) {
  Row row(kColumns.size());
  row[kName] = fmt::format("total of {}", report.tensors.size());
  row[kBits] = fmt::format("{}{:.3f}", report.at_most() ? "<=" : "", report.bits_per_weight());
  if (const auto distortion = report.distortion()) set_errors(*distortion, row);
  if (judges_outputs(report)) set_output_error(report.output_error(), row);
  row[kRatio] = fmt::format("{:.2f}", report.ratio());
  return row;
}

// "19 plain tensors, 12.35 kB: rank below 2 (18), would not shrink (1)"
std::string plain_line(const std::vector<TensorReport>& tensors) {
  constexpr std::size_t kMostReasons = 4;
  double bytes = 0;
  std::map<std::string, std::size_t> counts;
  for (const TensorReport& tensor : tensors) {
    bytes += number(tensor.bytes);
    if (tensor.note.empty()) continue;
    ++counts[tensor.note.starts_with("same as") ? "stored once, with another name" : tensor.note];
  }
  std::vector<std::pair<std::string, std::size_t>> reasons(counts.begin(), counts.end());
  std::ranges::stable_sort(reasons, std::greater(), &decltype(reasons)::value_type::second);
  std::string line = fmt::format("{} plain tensor{}, {}", tensors.size(),
                                 tensors.size() == 1 ? "" : "s", human_bytes(bytes));
  std::size_t n_others = 0;
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const auto& [reason, count] = reasons[i];
    if (i >= kMostReasons) {
      n_others += count;
      continue;
    }
    line += fmt::format("{} {} ({})", i == 0 ? ":" : ",", printable(reason), count);
  }
  return line + (n_others == 0 ? "" : fmt::format(", other reasons ({})", n_others));
}

// "9.86 MB -> 661.66 kB (661658 bytes on disk)"
std::string bytes_line(const Report& report) {
  return fmt::format("{} -> {}{} ({} bytes on disk)", human_bytes(number(report.original_bytes())),
                     report.at_most() ? "at most " : "", human_bytes(number(report.file_bytes)),
                     report.file_bytes);
}

// "229760 -> 90624 parameters (0.39)"; empty when factors do not change the number of parameters.
std::string parameters_line(const Report& report) {
  const std::size_t before = report.original_parameters(), after = report.parameters();
  if (before == after) return "";
  return fmt::format("{} -> {} parameters ({:.2f})\n", before, after,
                     number(after) / number(before));
}

}  // namespace

std::string to_table(const Report& report, const TableStyle& style) {
  std::vector<Row> rows;
  std::vector<TensorReport> plain;
  const bool has_outputs = judges_outputs(report);
  for (const TensorReport& tensor : report.tensors) {
    if (style.all || tensor.compressed() || (differs(tensor) && !tensor.narrowed)) {
      rows.push_back(row_of(tensor, has_outputs));
    } else {
      plain.push_back(tensor);
    }
  }
  rows.push_back(total_row(report));
  std::string text = timing::text_table(kColumns, rows, style.width);
  if (!plain.empty()) {
    constexpr std::string_view kHint = "; --all lists them";
    constexpr std::size_t kLeast = 20;
    const std::size_t room = std::max(style.width, kLeast + kHint.size()) - kHint.size();
    const std::string line = timing::cut_in_middle(plain_line(plain), room).append(kHint);
    text += timing::cut_in_middle(line, style.width) + "\n";
  }
  return text + bytes_line(report) + "\n" + parameters_line(report);
}

std::string to_listing(const Report& report, std::size_t width) {
  std::vector<Row> rows;
  for (const TensorReport& tensor : report.tensors) {
    rows.push_back({printable(tensor.info.name), printable(dtype_name(tensor.info)),
                    to_string(tensor.info.shape), kind_of(tensor.info),
                    fmt::format("{}", tensor.bytes), printable(tensor.note)});
  }
  std::string text;
  if (!rows.empty()) {
    text = timing::text_table({{"tensor", true, 20},
                               {"dtype", true},
                               {"shape", true, 8},
                               {"kind", true, 0, 2},
                               {"bytes"},
                               {"note", true, 12, 1}},
                              rows, width);
  }
  return text + fmt::format("{} tensor{}, {} elements, {}; {} bytes on disk\n", rows.size(),
                            rows.size() == 1 ? "" : "s", report.original_parameters(),
                            human_bytes(number(report.original_bytes())), report.file_bytes);
}

}  // namespace pqw::tool
