// Sums over the tensors of a file.
#include "pqw/pipeline/report.h"

namespace pqw {
namespace {

double divide(double dividend, double divisor) { return divisor > 0 ? dividend / divisor : 0; }

}  // namespace

double TensorReport::bits_per_weight() const {
  return divide(8 * static_cast<double>(bytes), static_cast<double>(element_count(info.shape)));
}

std::uint64_t Report::original_bytes() const {
  std::uint64_t sum = 0;
  for (const TensorReport& tensor : tensors) sum += tensor.original_bytes();
  return sum;
}

double Report::ratio() const {
  return divide(static_cast<double>(original_bytes()), static_cast<double>(file_bytes));
}

double Report::bits_per_weight() const {
  double n_weights = 0;
  for (const TensorReport& tensor : tensors) {
    n_weights += static_cast<double>(element_count(tensor.info.shape));
  }
  return divide(8 * static_cast<double>(file_bytes), n_weights);
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

}  // namespace pqw
