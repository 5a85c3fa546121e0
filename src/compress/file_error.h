// The error of a file by a metric, from the errors of its tensors.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pqw/compress/target.h"
#include "pqw/pipeline/report.h"

namespace pqw {

class MetricSum {
 public:
  explicit MetricSum(Metric metric) : metric_(metric) {}
  // The amount that a squared error of 1 in this tensor adds to the sum.
  double weight(double squared_norm, double importance) const;
  void add(double squared_error, double squared_norm, double importance);
  double value() const { return most_ > 0 ? sum_ / most_ : 0; }
  double most() const { return most_; }

 private:
  Metric metric_;
  double sum_ = 0, most_ = 0;
};

// The weight of a tensor in the error of the file.
struct Share {
  std::string name;
  double squared_norm;  // 0 if the search did not measure it
  double importance;
};

// From the distortions of the reports. Tensors without a share do not count.
double measured_error(Metric metric, std::span<const Share> shares,
                      std::span<const TensorReport> reports);

}  // namespace pqw
