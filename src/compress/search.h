// Searches the operating points of a file's tensors that a target asks for.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compress/plan.h"
#include "compress/process.h"
#include "pqw/compress/compress.h"

namespace pqw {

struct SearchInput {
  const WeightReader& reader;
  Target target;
  ArchiveWriterOptions archive;  // of the archive that is to have the size
  std::string path;              // of the input, for messages
  CompressObserver* observer = nullptr;
};

// What a tensor counts in the error of the file.
struct Share {
  std::string name;
  double squared_norm;  // 0 if the search did not measure it
  double importance;
};

struct SearchResult {
  SearchOutcome outcome;  // without `error`
  Metric metric;
  std::vector<Share> shares;
};

// Gives each free tensor of the plan one candidate, or keeps it; the others stay as they are. Probes points with little effort, first a few of each
// tensor, then the points that seem best. The result depends on input and options alone. Reads each
// tensor several times. Large tensors are in memory one at a time.
// Errors: kInvalidArgument if no choice is small enough, naming the smallest size, or exact enough;
// those of process.
SearchResult search(const SearchInput& input, std::vector<WorkItem>& plan);

// The error of the file by the metric, from the distortions of the reports.
double measured_error(const SearchResult& result, std::span<const TensorReport> reports);

// The error of a file by a metric, tensor by tensor.
class MetricSum {
 public:
  explicit MetricSum(Metric metric) : metric_(metric) {}
  // What a squared error of 1 of that tensor adds to the sum.
  double weight(double squared_norm, double importance) const;
  void add(double squared_error, double squared_norm, double importance);
  double value() const { return most_ > 0 ? sum_ / most_ : 0; }
  double most() const { return most_; }

 private:
  Metric metric_;
  double sum_ = 0, most_ = 0;
};

}  // namespace pqw
