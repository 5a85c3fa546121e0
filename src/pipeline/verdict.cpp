// The verdict on a compressed file: what was gained and lost, and what to do about it.
#include "pqw/pipeline/verdict.h"

#include <fmt/format.h>

#include <algorithm>

#include "pqw/core/text.h"

namespace pqw {
namespace {

constexpr std::size_t kMostShares = 3;
constexpr double kLeastShare = 0.01;

std::vector<ErrorShare> largest_errors(const Report& report, double total) {
  std::vector<ErrorShare> shares;
  for (const TensorReport& tensor : report.tensors) {
    if (!tensor.compressed() || !tensor.distortion) continue;
    if (!(tensor.distortion->squared_error() > 0)) continue;
    shares.push_back({tensor.info.name, tensor.distortion->squared_error() / total});
  }
  std::ranges::stable_sort(shares, std::greater(), &ErrorShare::share);
  shares.resize(std::min(shares.size(), kMostShares));
  while (shares.size() > 1 && shares.back().share < kLeastShare) shares.pop_back();
  return shares;
}

// Tensors of zeros have no relative error, and do not count.
double mean_error(const Report& report) {
  double sum = 0;
  std::size_t n = 0;
  for (const TensorReport& tensor : report.tensors) {
    if (!tensor.compressed() || !tensor.distortion || !(tensor.distortion->squared_norm() > 0)) {
      continue;
    }
    sum += tensor.distortion->relative_error();
    ++n;
  }
  return n == 0 ? 0 : sum / static_cast<double>(n);
}

}  // namespace

Verdict judge(const Report& report) {
  Verdict verdict{.bits_per_weight = report.bits_per_weight(), .ratio = report.ratio()};
  const auto bits = report.bits_per_coarse_weight();
  if (bits && *bits < kSafeBits) verdict.risky_bits = bits;
  const auto distortion = report.distortion();
  if (!distortion) return verdict;
  verdict.relative_error = distortion->relative_error();
  verdict.mean_error = mean_error(report);
  verdict.amplitude = distortion->amplitude();
  verdict.largest_errors = largest_errors(report, distortion->squared_error());
  return verdict;
}

std::string warning_of(const Verdict& verdict) {
  if (!verdict.risky_bits) return "";
  return fmt::format(
      "{:.2f} bits a weight, without int8 and plain tensors: below about {} bits, no setting "
      "without calibration kept all networks alive. Run yours on its task before you use this "
      "archive. If it fails, find the tensors that it is sensitive to and give them more bits "
      "(--set 'NAME:codec=int8'), or take --quality high",
      *verdict.risky_bits, kSafeBits);
}

std::string to_text(const Verdict& verdict, const std::string& command) {
  std::string text = fmt::format("{:.2f} bits a weight, {:.2f} times smaller",
                                 verdict.bits_per_weight, verdict.ratio);
  if (verdict.amplitude) {
    text += fmt::format(
        "; relative error {:.4g} (mean of the tensors {:.4g}), amplitude {:.4f}\n"
        "amplitude: <w,v> / |w|^2 of weights w and decoded weights v; below 1 the outputs of a "
        "layer shrink",
        *verdict.relative_error, *verdict.mean_error, *verdict.amplitude);
  }
  text += "\n";
  for (const ErrorShare& error : verdict.largest_errors) {
    text += fmt::format("{}{} {:.0f} %",
                        &error == &verdict.largest_errors.front() ? "shares of the error: " : ", ",
                        shown(error.tensor), 100 * error.share);
  }
  if (!verdict.largest_errors.empty()) text += "\n";
  if (!command.empty()) {
    text += "to halve the mean error: " + command + "\n";
  }
  const std::string warning = warning_of(verdict);
  return text + (warning.empty() ? "" : "warning: " + warning + "\n");
}

}  // namespace pqw
