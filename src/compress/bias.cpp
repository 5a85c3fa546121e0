// Moves the bias of a layer so that it makes up for the mean error of the outputs.
#include "compress/bias.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/parallel.h"
#include "pqw/compress/compress.h"
#include "pqw/core/convert.h"
#include "pqw/core/output_error.h"

namespace pqw {
namespace {

constexpr char kCorrected[] = "bias corrected: ";
constexpr char kKept[] = "bias not moved: ";
constexpr std::size_t kRowsPerRange = 64;
// Smaller gains on a few hundred rows did not help tasks (docs/calibration.md).
constexpr double kMostOfError = 0.95;

// After the activation, with the bias as it is and with the corrected one.
struct Errors {
  OutputError as_is, corrected;
};

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t c = 0; c < a.size(); ++c) sum += double{a[c]} * b[c];
  return sum;
}

std::vector<double> widened(const TensorInfo& info, std::span<const std::byte> bytes) {
  std::vector<double> values(element_count(info.shape));
  to_double(bytes, info.dtype, values);
  return values;
}

// Row r of W multiplies with the inputs of its group: that part of a row of inputs, or of means.
template <class T>
std::span<T> seen_by(std::size_t r, ConstMatrix w, std::span<T> inputs) {
  const std::size_t n_groups = w.cols() == 0 ? 1 : inputs.size() / w.cols();
  return inputs.subspan(r / (w.rows() / n_groups) * w.cols(), w.cols());
}

// b + (W - Ŵ) mean(x), in the type of the bias.
std::vector<std::byte> moved(ConstMatrix w, ConstMatrix w_hat, std::span<const double> means,
                             const TensorInfo& info, std::span<const double> bias) {
  std::vector<float> values(bias.size());
  for (std::size_t r = 0; r < bias.size(); ++r) {
    double shift = 0;
    const std::span<const double> own_means = seen_by(r, w, means);
    for (std::size_t c = 0; c < own_means.size(); ++c) {
      shift += (double{w(r, c)} - w_hat(r, c)) * own_means[c];
    }
    values[r] = static_cast<float>(bias[r] + shift);
  }
  std::vector<std::byte> bytes(byte_count(info));
  from_float(values, info.dtype, bytes);
  return bytes;
}

Errors judge(ConstMatrix w, ConstMatrix w_hat, ConstMatrix x, std::span<const double> bias,
             std::span<const double> corrected, BiasCorrection correction) {
  const auto add_rows = [&](const IndexRange& range, std::size_t, Errors& own) {
    for (std::size_t r = range.begin; r < range.end; ++r) {
      for (std::size_t i = 0; i < x.rows(); ++i) {
        const std::span<const float> inputs = seen_by(r, w, x.row(i));
        const double wanted = activated(correction, dot(w.row(r), inputs) + bias[r]);
        const double product = dot(w_hat.row(r), inputs);
        const auto squared_error = [&](double b) {
          const double error = activated(correction, product + b) - wanted;
          return error * error;
        };
        own.as_is.add({squared_error(bias[r]), wanted * wanted});
        own.corrected.add({squared_error(corrected[r]), wanted * wanted});
      }
    }
  };
  return Workers(w.rows() * w.cols(), 2 * static_cast<double>(x.rows()))
      .reduce_in_order(Division::by_length(w.rows(), kRowsPerRange), Errors(), add_rows,
                       [](Errors& sum, const Errors& own) {
                         sum.as_is.add(own.as_is);
                         sum.corrected.add(own.corrected);
                       });
}

}  // namespace

const std::vector<std::pair<std::string, BiasCorrection>>& bias_corrections() {
  static const std::vector<std::pair<std::string, BiasCorrection>> kAll = {
      {"off", BiasCorrection::kOff},   {"none", BiasCorrection::kNone},
      {"relu", BiasCorrection::kRelu}, {"gelu", BiasCorrection::kGelu},
      {"silu", BiasCorrection::kSilu}, {"hardswish", BiasCorrection::kHardswish}};
  return kAll;
}

std::string to_string(BiasCorrection correction) {
  const auto& all = bias_corrections();
  return std::ranges::find(all, correction, &std::pair<std::string, BiasCorrection>::second)->first;
}

double activated(BiasCorrection correction, double x) {
  switch (correction) {
    case BiasCorrection::kRelu:
      return std::max(x, 0.0);
    case BiasCorrection::kGelu:
      return x * 0.5 * (1 + std::erf(x / std::numbers::sqrt2));
    case BiasCorrection::kSilu:
      return x / (1 + std::exp(-x));
    case BiasCorrection::kHardswish:
      return x * std::clamp(x + 3, 0.0, 6.0) / 6;
    default:
      return x;
  }
}

std::string bias_name(const std::string& weight) {
  constexpr std::pair<std::string_view, std::string_view> kEndings[] = {
      {"weight", "bias"}, {"kernel", "bias"}, {"w_0", "b_0"}};
  for (const auto& [of_weight, of_bias] : kEndings) {
    if (!weight.ends_with(of_weight)) continue;
    return weight.substr(0, weight.size() - of_weight.size()).append(of_bias);
  }
  return "";
}

CorrectedBias corrected_bias(ConstMatrix w, ConstMatrix w_hat, const InputStatistics& inputs,
                             const TensorInfo& info, std::span<const std::byte> bytes,
                             BiasCorrection correction) {
  const std::vector<double> bias = widened(info, bytes);
  std::vector<std::byte> corrected = moved(w, w_hat, inputs.means, info, bias);
  const ConstMatrix x(inputs.held_out.data(), inputs.n_held_out(), inputs.cols);
  const Errors errors = judge(w, w_hat, x, bias, widened(info, corrected), correction);
  const bool has_activation = correction != BiasCorrection::kNone;
  const std::string place = has_activation ? " after " + to_string(correction) : "";
  if (errors.as_is.squared_error == 0 ||
      !(errors.corrected.squared_error <= kMostOfError * errors.as_is.squared_error)) {
    return {{}, bias_kept(fmt::format("that saves less than 5 % of the error{}", place))};
  }
  return {std::move(corrected), fmt::format("{}error{} {:.5f}, was {:.5f}", kCorrected, place,
                                            errors.corrected.relative(), errors.as_is.relative())};
}

std::string bias_kept(const std::string& why) { return kKept + why; }

std::string corrected_biases(const Report& report) {
  const auto count = [&](std::string_view decision) {
    return std::ranges::count_if(report.tensors, [&](const TensorReport& tensor) {
      return tensor.note.starts_with(decision);
    });
  };
  const auto n_corrected = count(kCorrected), n = n_corrected + count(kKept);
  return n == 0 ? "" : fmt::format("bias corrected for {} of {} weights", n_corrected, n);
}

}  // namespace pqw
