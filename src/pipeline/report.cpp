// Sums over the tensors of a file.
#include "pqw/pipeline/report.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "codecs/alias.h"

namespace pqw {
namespace {

constexpr std::string_view kWeight = "weight";

double divide(double dividend, double divisor) { return divisor > 0 ? dividend / divisor : 0; }

}  // namespace

double TensorReport::bits_per_weight() const {
  return divide(8 * static_cast<double>(bytes), static_cast<double>(element_count(info.shape)));
}

std::string same_as(const std::string& tensor) { return "same as '" + tensor + "'"; }

std::string stored_in(DType dtype) { return "stored as " + std::string(to_string(dtype)); }

void describe(const Weight& weight, TensorReport& report) {
  report.settings = summary(weight);
  report.options = std::visit(
      [](const auto& w) {
        if constexpr (requires { w.options; }) return w.options;
        return std::string();
      },
      weight);
  report.n_parameters = parameter_count(weight);
  if (const auto* low_rank = std::get_if<LowRankWeight>(&weight)) {
    report.inner_width = low_rank->rank();
  }
}

std::uint64_t Report::original_bytes() const {
  std::uint64_t sum = 0;
  for (const TensorReport& tensor : tensors) sum += tensor.original_bytes();
  return sum;
}

std::size_t Report::original_parameters() const {
  std::size_t sum = 0;
  for (const TensorReport& tensor : tensors) sum += element_count(tensor.info.shape);
  return sum;
}

std::size_t Report::parameters() const {
  std::set<std::string> names;
  for (const TensorReport& tensor : tensors) names.insert(tensor.info.name);
  std::size_t sum = 0;
  for (const TensorReport& tensor : tensors) {
    sum += tensor.n_parameters;
    const std::string& name = tensor.info.name;
    if (tensor.inner_width == 0 || !name.ends_with(kWeight)) continue;
    if (names.contains(name.substr(0, name.size() - kWeight.size()) + "bias")) {
      sum += tensor.inner_width;
    }
  }
  return sum;
}

bool Report::at_most() const { return std::ranges::any_of(tensors, &TensorReport::at_most); }

double Report::ratio() const {
  return divide(static_cast<double>(original_bytes()), static_cast<double>(file_bytes));
}

double Report::bits_per_weight() const {
  return divide(8 * static_cast<double>(file_bytes), static_cast<double>(original_parameters()));
}

std::optional<double> Report::bits_per_coarse_weight() const {
  double bytes = 0, n_weights = 0;
  for (const TensorReport& tensor : tensors) {
    if (!tensor.compressed() || tensor.codec == Int8Codec::kName) continue;
    if (tensor.codec == kAliasCodec) continue;  // its weights are those of its target
    bytes += static_cast<double>(tensor.bytes);
    n_weights += static_cast<double>(element_count(tensor.info.shape));
  }
  if (n_weights == 0) return std::nullopt;
  return 8 * bytes / n_weights;
}

std::optional<Distortion> Report::distortion() const {
  std::optional<Distortion> sum;
  for (const TensorReport& tensor : tensors) {
    if (!tensor.distortion) continue;
    if (!sum) sum.emplace();
    if (tensor.compressed()) sum->add(*tensor.distortion);
  }
  return sum;
}

std::optional<OutputError> Report::output_error() const {
  std::optional<OutputError> sum;
  for (const TensorReport& tensor : tensors) {
    if (!tensor.output_error || !tensor.compressed()) continue;
    if (!sum) sum.emplace();
    sum->add(*tensor.output_error);
  }
  return sum;
}

}  // namespace pqw
