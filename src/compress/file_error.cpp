// The error of a file by a metric.
#include "compress/file_error.h"

#include <map>

namespace pqw {

double MetricSum::weight(double squared_norm, double importance) const {
  if (!(squared_norm > 0)) return 0;
  return metric_ == Metric::kTotal ? importance : importance / squared_norm;
}

void MetricSum::add(double squared_error, double squared_norm, double importance) {
  const double factor = weight(squared_norm, importance);
  sum_ += factor * squared_error;
  most_ += factor * squared_norm;
}

double measured_error(Metric metric, std::span<const Share> shares,
                      std::span<const TensorReport> reports) {
  std::map<std::string, const Share*> share_of;
  for (const Share& share : shares) share_of[share.name] = &share;
  MetricSum sum(metric);
  for (const TensorReport& report : reports) {
    const auto share = share_of.find(report.info.name);
    if (share == share_of.end() || !report.distortion) continue;
    const double norm = report.distortion->squared_norm();
    sum.add(report.distortion->squared_error(), norm > 0 ? norm : share->second->squared_norm,
            share->second->importance);
  }
  return sum.value();
}

}  // namespace pqw
