// The report of pqw sensitivity as a table, as JSON and as a picture.
#include "cli/sensitivity_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "pqw/core/text.h"
#include "timing/text_table.h"

namespace pqw::tool {
namespace {

using Row = std::vector<std::string>;

std::vector<const TensorSensitivity*> worst_first(const SensitivityReport& report) {
  std::vector<const TensorSensitivity*> tensors;
  for (const TensorSensitivity& tensor : report.tensors) tensors.push_back(&tensor);
  std::ranges::stable_sort(tensors, std::greater(), &TensorSensitivity::harm);
  return tensors;
}

std::string scores(const SensitivityReport& report) {
  std::string text;
  if (report.score) text = fmt::format("score of the original: {:.6g}\n", *report.score);
  for (std::size_t p = 0; p < report.points.size(); ++p) {
    const PointScore& point = report.points[p];
    text += fmt::format("point {}, all tensors with {}: ", p + 1, printable(point.settings));
    text += point.score ? fmt::format("score {:.6g}, harm {:.4g}\n", *point.score, point.harm)
                        : fmt::format("mean error of the outputs {:.4g}\n", point.harm);
  }
  return text;
}

std::vector<timing::Column> columns_of(const SensitivityReport& report) {
  std::vector<timing::Column> columns = {{"tensor", true, 20}, {"weights", false, 0, 2}};
  for (std::size_t p = 1; p <= report.points.size(); ++p) {
    columns.push_back({fmt::format("error {}", p), false, 0, 3});
    columns.push_back({fmt::format("harm {}", p), false, 0, 4});
  }
  columns.insert(columns.end(), {{"harm"}, {"importance"}, {"measured", true, 0, 1}});
  return columns;
}

std::string measured(const TensorSensitivity& tensor, bool has_score) {
  if (!has_score) return tensor.has_outputs ? "outputs" : "weights";
  if (tensor.n_measured_with == 1) return "alone";
  return fmt::format("in a group of {}", tensor.n_measured_with);
}

Row row_of(const TensorSensitivity& tensor, bool has_score) {
  Row row = {printable(tensor.info.name), fmt::format("{}", element_count(tensor.info.shape))};
  for (const TensorAtPoint& point : tensor.points) {
    row.push_back(fmt::format("{:.5f}", point.relative_error));
    row.push_back(fmt::format("{:.4g}", point.harm));
  }
  row.push_back(fmt::format("{:.4g}", tensor.harm));
  row.push_back(fmt::format("{:.4g}", tensor.importance));
  row.push_back(measured(tensor, has_score));
  return row;
}

// Text of an XML element.
std::string escaped(const std::string& text) {
  std::string result;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      default:
        result += c;
    }
  }
  return result;
}

}  // namespace

std::string to_table(const SensitivityReport& report, bool all, std::size_t width) {
  constexpr std::size_t kMost = 20;
  const auto tensors = worst_first(report);
  const std::size_t n = all ? tensors.size() : std::min(kMost, tensors.size());
  std::vector<Row> rows;
  for (std::size_t i = 0; i < n; ++i) {
    rows.push_back(row_of(*tensors[i], report.score.has_value()));
  }
  std::string text = scores(report) + timing::text_table(columns_of(report), rows, width);
  if (n < tensors.size()) {
    text += fmt::format("{} more tensors with less harm; --all lists them\n", tensors.size() - n);
  }
  if (report.target) {
    text += fmt::format("smallest archive: {} bytes (ratio {:.4g}), score {:.6g}, loss {:.4g}\n",
                        report.target->file_bytes, report.target->ratio, report.target->score,
                        report.target->loss);
  }
  return text;
}

void append(const SensitivityReport& report, Json& document) {
  const auto number = [](const std::optional<double>& value) {
    return value ? Json(*value) : Json();
  };
  document["score"] = number(report.score);
  document["points"] = Json::array();
  for (const PointScore& point : report.points) {
    document["points"].push_back({{"settings", to_json(parse_settings(point.settings))},
                                  {"score", number(point.score)},
                                  {"harm", point.harm}});
  }
  document["tensors"] = Json::array();
  for (const TensorSensitivity& tensor : report.tensors) {
    Json points = Json::array();
    for (const TensorAtPoint& point : tensor.points) {
      points.push_back({{"relative_error", point.relative_error}, {"harm", point.harm}});
    }
    document["tensors"].push_back({{"name", tensor.info.name},
                                   {"shape", tensor.info.shape},
                                   {"harm", tensor.harm},
                                   {"importance", tensor.importance},
                                   {"group_size", tensor.n_measured_with},
                                   {"has_outputs", tensor.has_outputs},
                                   {"points", std::move(points)}});
  }
  document["runs"] = report.n_runs;
  document["target"] = Json();
  if (const auto& target = report.target) {
    document["target"] = {{"ratio", target->ratio},
                          {"file_bytes", target->file_bytes},
                          {"score", target->score},
                          {"loss", target->loss}};
  }
  document["note"] = report.note.empty() ? Json() : Json(report.note);
}

std::string to_svg(const SensitivityReport& report, const std::string& title) {
  constexpr double kLeft = 70, kTop = 40, kHeight = 300, kNames = 160;
  const auto n = static_cast<double>(std::max<std::size_t>(1, report.tensors.size()));
  const double step = std::clamp(800 / n, 4.0, 40.0), right = kLeft + n * step;
  double most = 0, least = 0;
  for (const TensorSensitivity& tensor : report.tensors) {
    most = std::max(most, tensor.harm);
    least = std::min(least, tensor.harm);
  }
  const double range = most > least ? most - least : 1;
  const auto y_of = [&](double harm) { return kTop + (most - harm) / range * kHeight; };
  const double width = std::max(right + 20, 500.0), height = kTop + kHeight + kNames;
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"11\">\n"
      "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"white\"/>\n"
      "<text x=\"{2}\" y=\"22\" font-size=\"13\">{3}: harm of each tensor</text>\n",
      width, height, kLeft, escaped(title));
  for (const double harm : {most, least}) {
    svg += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.3g}</text>\n", kLeft - 6,
                       y_of(harm) + 4, harm);
    if (most == least) break;
  }
  double x = kLeft;
  for (const TensorSensitivity& tensor : report.tensors) {
    const double top = y_of(std::max(0.0, tensor.harm)), bottom = y_of(std::min(0.0, tensor.harm));
    const std::string name = escaped(tensor.info.name);
    svg += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\"><title>{}: "
        "{:.4g}, importance {:.4g}</title></rect>\n",
        x + 0.1 * step, top, 0.8 * step, bottom - top, tensor.harm < 0 ? "#3a7d44" : "#1b6ca8",
        name, tensor.harm, tensor.importance);
    if (step >= 12) {
      svg += fmt::format("<text transform=\"translate({:.1f},{:.1f}) rotate(60)\">{}</text>\n",
                         x + 0.4 * step, kTop + kHeight + 12,
                         escaped(timing::cut_in_middle(printable(tensor.info.name), 28)));
    }
    x += step;
  }
  return svg + fmt::format("<path d=\"M{},{:.1f} H{:.1f}\" stroke=\"black\"/>\n</svg>\n", kLeft,
                           y_of(0), right);
}

}  // namespace pqw::tool
