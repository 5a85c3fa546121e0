// Serving a weight against its dense product: answers first, then times.
#include "cli/bench_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "pqw/core/error.h"
#include "timing/clock.h"
#include "timing/dense.h"

namespace pqw::tool {
namespace {

using timing::DenseMethod;
using timing::multiply_dense;

constexpr double kWrong = 0.1;  // an error that no rounding explains

std::vector<float> normal_values(std::size_t n) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

void require_right(const std::string& name, const char* contender, std::size_t batch,
                   double error) {
  if (error <= kWrong) return;  // NaN is not
  throw Error(ErrorCode::kCorrupt,
              fmt::format("tensor '{}', batch {}: the {} product is wrong: it is off by {:.2g} of "
                          "its norm",
                          name, batch, contender, error));
}

DenseMethod fastest_dense(ConstMatrix w, ConstMatrix x, MutableMatrix y) {
  const double gemm =
      timing::shortest_seconds([&] { multiply_dense(DenseMethod::kGemm, w, x, y); });
  const double gemv =
      timing::shortest_seconds([&] { multiply_dense(DenseMethod::kGemv, w, x, y); });
  return gemm < gemv ? DenseMethod::kGemm : DenseMethod::kGemv;
}

BatchTimes time_batch(const std::string& name, ConstMatrix w, const Product& served,
                      std::size_t batch) {
  const std::vector<float> x_values = normal_values(batch * w.cols());
  std::vector<float> y_values(batch * w.rows());
  const ConstMatrix x(x_values.data(), batch, w.cols());
  const MutableMatrix y(y_values.data(), batch, w.rows());
  BatchTimes times;
  times.batch = batch;
  times.kernel = served.describe(batch);
  const DenseMethod method = fastest_dense(w, x, y);
  times.dense_method = timing::blas_name(method);
  const std::function<void()> contenders[] = {[&] { multiply_dense(method, w, x, y); },
                                              [&] { served.multiply_rows(0, x, y); }};
  const std::vector<double> expected = timing::multiply_in_double(w, x);
  contenders[0]();
  times.dense_error = timing::relative_error(y_values, expected);
  require_right(name, "dense", batch, times.dense_error);
  std::fill(y_values.begin(), y_values.end(), std::nanf(""));
  contenders[1]();
  times.served_error = timing::relative_error(y_values, expected);
  require_right(name, "served", batch, times.served_error);

  const std::vector<double> seconds = timing::median_seconds({contenders[0], contenders[1]});
  times.dense_s = seconds[0];
  times.served_s = seconds[1];
  return times;
}

}  // namespace

std::vector<BatchTimes> time_weight(const std::string& name, const Weight& weight,
                                    const std::vector<std::size_t>& batches,
                                    const ServeOptions& options) {
  const MatrixShape matrix = head_of(weight).matrix();
  std::vector<float> decoded(matrix.rows * matrix.cols);
  decode_rows(weight, 0, {decoded.data(), matrix.rows, matrix.cols});
  const ConstMatrix w(decoded.data(), matrix.rows, matrix.cols);
  const auto served = make_product(weight, options);
  std::vector<BatchTimes> times;
  for (const std::size_t batch : batches) {
    times.push_back(time_batch(name, w, *served, batch));
    // The documented errors are means over many rows of x; the error of a few rows may be above.
    constexpr std::size_t kManyRows = 32;
    const double most =
        documented_error(options.precision) * (batch < kManyRows ? kSingleRowError : 1);
    times.back().as_documented =
        !std::holds_alternative<PqWeight>(weight) || times.back().served_error <= most;
  }
  return times;
}

std::size_t code_bytes(const Weight& given) {
  Weight weight = given;
  if (auto* pq = std::get_if<PqWeight>(&weight)) pq->entropy_coding = false;
  const Record record = to_record(weight, "");
  const auto codes = std::ranges::find(record.sections, "codes", &Section::name);
  return codes != record.sections.end() ? codes->bytes.size() : data_bytes(record);
}

}  // namespace pqw::tool
