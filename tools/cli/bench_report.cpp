// Times of served products as a table and as JSON.
#include <fmt/format.h>

#include "cli/bench_tensor.h"
#include "pqw/core/text.h"
#include "timing/text_table.h"

namespace pqw::tool {
namespace {

// Three digits at least, as times span six orders of magnitude.
std::string microseconds(double seconds) {
  const double us = seconds * 1e6;
  return fmt::format("{:.{}f}", us, us < 10 ? 2 : us < 100 ? 1 : 0);
}

Json to_json(const TensorTimes& tensor, const BatchTimes& times) {
  return {{"batch", times.batch},
          {"dense_us", times.dense_s * 1e6},
          {"dense_method", times.dense_method},
          {"served_us", times.served_s * 1e6},
          {"ratio", times.ratio()},
          {"kernel", times.kernel},
          {"code_gb_per_s", tensor.code_bytes_per_s(times) / 1e9},
          {"error", times.served_error},
          {"dense_error", times.dense_error},
          {"as_documented", times.as_documented}};
}

}  // namespace

std::string to_table(const BenchReport& report, std::size_t width) {
  std::vector<std::vector<std::string>> rows;
  for (const TensorTimes& tensor : report.tensors) {
    for (const BatchTimes& times : tensor.batches) {
      rows.push_back({printable(tensor.info.name), to_string(tensor.info.shape), tensor.codec,
                      tensor.settings, fmt::format("{}", times.batch), microseconds(times.dense_s),
                      microseconds(times.served_s), fmt::format("{:.2f}", times.ratio()),
                      fmt::format("{:.2f}", tensor.code_bytes_per_s(times) / 1e9),
                      fmt::format("{:.1e}{}", times.served_error, times.as_documented ? "" : "!"),
                      times.kernel});
    }
  }
  return timing::text_table({{"tensor", true, 20},
                             {"shape", true, 0, 2},
                             {"codec", true},
                             {"settings", true, 26, 4},
                             {"batch"},
                             {"dense us"},
                             {"served us"},
                             {"ratio"},
                             {"GB/s", false, 0, 1},
                             {"error", false, 0, 5},
                             {"kernel", true, 12, 3}},
                            rows, width);
}

void append(const BenchReport& report, Json& document) {
  Json tensors = Json::array();
  for (const TensorTimes& tensor : report.tensors) {
    Json batches = Json::array();
    for (const BatchTimes& times : tensor.batches) batches.push_back(to_json(tensor, times));
    tensors.push_back({{"name", tensor.info.name},
                       {"shape", tensor.info.shape},
                       {"codec", tensor.codec},
                       {"settings", tensor.settings},
                       {"code_bytes", tensor.code_bytes},
                       {"batches", std::move(batches)}});
  }
  document.update(Json{{"archive", report.archive},
                       {"threads", report.n_threads},
                       {"precision", to_string(report.options.precision)},
                       {"method", to_string(report.options.method)},
                       {"dense", {{"library", "OpenBLAS"}, {"core", report.blas_core}}},
                       {"error_against", "product in double with the decoded weight"},
                       {"tensors", std::move(tensors)},
                       {"left_out", report.left_out}});
}

}  // namespace pqw::tool
