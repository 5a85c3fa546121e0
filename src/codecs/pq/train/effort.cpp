// The effort: how long pq searches for codebooks.
//
// Measured on trained networks at block 4, K = 256: after one run, more iterations lower the error
// more than other starts do at the same time. Ten starts of a small tensor take ten times as long
// for 0.1 to 0.4 % of the error.
#include "codecs/pq/train/effort.h"

namespace pqw {
namespace {

struct Search {
  std::size_t iterations;
  double tolerance;
};

Search search_of(PqEffort effort) {
  if (effort == PqEffort::kFast) return {12, 1e-3};
  if (effort == PqEffort::kDefault) return {60, 4e-4};
  return {100, 1e-5};
}

// Small problems are cheap to try again, and it is they that bad starts hurt.
std::size_t restarts_of(PqEffort effort, double multiplications) {
  if (effort != PqEffort::kMax) return 1;
  return multiplications <= 0x1p23 ? 10 : multiplications <= 0x1p26 ? 3 : 1;
}

}  // namespace

void resolve_effort(PqOptions& options, std::size_t n_values) {
  const Search search = search_of(options.effort);
  const double multiplications =  // of an E-step
      static_cast<double>(n_values) * static_cast<double>(options.n_centroids);
  if (options.restarts == 0) options.restarts = restarts_of(options.effort, multiplications);
  if (options.iterations == kIterationsByEffort) options.iterations = search.iterations;
  if (options.tolerance == kToleranceByEffort) options.tolerance = search.tolerance;
}

}  // namespace pqw
