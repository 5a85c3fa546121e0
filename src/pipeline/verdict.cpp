// The verdict on a compressed file: what was gained and lost, and what to do about it.
#include "pqw/pipeline/verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "pqw/core/text.h"

namespace pqw {
namespace {

constexpr std::size_t kMostShares = 3;
constexpr double kLeastShare = 0.01;

std::vector<ErrorShare> largest_errors(const Report& report, double total) {
  std::vector<ErrorShare> shares;
  for (const TensorReport& tensor : report.tensors) {
    if (!tensor.compressed() || !tensor.distortion) continue;
    const double share = tensor.distortion->squared_error() / total;
    if (share >= kLeastShare) shares.push_back({tensor.info.name, share});
  }
  std::ranges::stable_sort(shares, std::greater(), &ErrorShare::share);
  shares.resize(std::min(shares.size(), kMostShares));
  return shares;
}

// Of "block_size=4,centroids=256": block size and centroids. Zeros for other texts.
PqSize pq_size(const std::string& settings) {
  const auto number_after = [&](std::string_view key) -> std::size_t {
    const std::size_t at = settings.find(key);
    std::size_t number = 0;
    if (at != std::string::npos) {
      std::from_chars(settings.data() + at + key.size(), settings.data() + settings.size(), number);
    }
    return number;
  };
  return {number_after("block_size="), number_after("centroids=")};
}

// Each bit more a weight quarters the squared error of a fine quantizer: half a bit halves it. So
// blocks of d with K centroids become blocks of log2(K) / (log2(K) / d + 0.5) columns, and in short
// blocks twice as many centroids have that half bit.
std::optional<PqSize> finer(const Report& report, double total) {
  constexpr double kNearlyAll = 0.9;
  std::map<PqSize, double> errors;
  for (const TensorReport& tensor : report.tensors) {
    if (tensor.codec != PqCodec::kName || !tensor.distortion) continue;
    errors[pq_size(tensor.settings)] += tensor.distortion->squared_error();
  }
  const auto most = std::ranges::max_element(errors, {}, &decltype(errors)::value_type::second);
  if (most == errors.end() || !(total > 0 && most->second >= kNearlyAll * total))
    return std::nullopt;
  auto [block_size, n_centroids] = most->first;
  constexpr std::size_t kShort = 2, kMostCentroids = 32768;
  if (block_size == 0 || n_centroids < 2 || (block_size <= kShort && n_centroids > kMostCentroids))
    return std::nullopt;
  if (block_size <= kShort) {
    n_centroids *= 2;
  } else {
    const double bits = std::log2(static_cast<double>(n_centroids));
    const double columns = bits / (bits / static_cast<double>(block_size) + 0.5);
    block_size = std::max<std::size_t>(1, static_cast<std::size_t>(columns));
  }
  return PqSize{block_size, n_centroids};
}

}  // namespace

Verdict judge(const Report& report) {
  Verdict verdict{.bits_per_weight = report.bits_per_weight(), .ratio = report.ratio()};
  const auto bits = report.bits_per_coarse_weight();
  if (bits && *bits < kSafeBits) verdict.risky_bits = bits;
  const auto distortion = report.distortion();
  if (!distortion) return verdict;
  verdict.relative_error = distortion->relative_error();
  verdict.amplitude = distortion->amplitude();
  verdict.largest_errors = largest_errors(report, distortion->squared_error());
  verdict.finer = finer(report, distortion->squared_error());
  return verdict;
}

std::string warning_of(const Verdict& verdict) {
  if (!verdict.risky_bits) return "";
  return fmt::format(
      "{:.2f} bits a weight, without int8 and plain tensors: below about {} bits, no setting "
      "without calibration kept all networks alive. Run yours on its task before you use this "
      "archive; if it fails, give it more bits (--block-size 2, or --codec int8)",
      *verdict.risky_bits, kSafeBits);
}

std::string to_text(const Verdict& verdict, const std::string& command) {
  std::string text = fmt::format("{:.2f} bits a weight, {:.2f} times smaller",
                                 verdict.bits_per_weight, verdict.ratio);
  if (verdict.amplitude) {
    text += fmt::format(
        "; relative error {:.4g}, amplitude {:.4f}\n"
        "amplitude: <w,v> / |w|^2 of weights w and decoded weights v; below 1 the outputs of a "
        "layer shrink",
        *verdict.relative_error, *verdict.amplitude);
  }
  text += "\n";
  for (const ErrorShare& error : verdict.largest_errors) {
    text += fmt::format("{}{} ({:.0f} %)",
                        &error == &verdict.largest_errors.front() ? "most of the error: " : ", ",
                        shown(error.tensor), 100 * error.share);
  }
  if (!verdict.largest_errors.empty()) text += "\n";
  if (!command.empty()) text += "half the error: " + command + "\n";
  const std::string warning = warning_of(verdict);
  return text + (warning.empty() ? "" : "warning: " + warning + "\n");
}

}  // namespace pqw
