// Further arguments of an encoding, and the size that is known before it.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "pqw/codecs/input_statistics.h"
#include "pqw/core/record.h"

namespace pqw {

// The outcome of one EM iteration. The objective is Σ‖x - c(x)‖² over the blocks after the E-step,
// weighted by PqImportance if there is one.
struct EmIteration {
  std::size_t group = 0;
  std::size_t restart = 0;
  std::size_t iteration = 0;
  std::size_t n_blocks = 0;  // of the sample, or all
  double objective = 0;
  std::size_t n_reassigned = 0;  // empty clusters that were given a new centroid
};

class EmObserver {
 public:
  virtual ~EmObserver() = default;
  // Called from the encoding thread, in order. If it throws, the encoding ends with that exception.
  virtual void on_iteration(const EmIteration& iteration) = 0;
};

// Importances of rows and columns. The objective becomes
// Σ_rc rows[r] columns[c] (W[r][c] - Ŵ[r][c])². Importances are finite and >= 0.
// Second moments of activations are good column importances.
struct PqImportance {
  std::span<const float> rows = {};     // [rows], or empty: all 1
  std::span<const float> columns = {};  // [cols], or empty: all 1
};

struct EncodeContext {
  EmObserver* observer = nullptr;
  const PqImportance* importance = nullptr;  // only pq supports it
  // Of the weight. tcq, and pq with one codebook per group, keep the outputs of a layer with these
  // inputs; the error of the weights rises, even above 1. Others ignore the inputs.
  const InputStatistics* inputs = nullptr;
};

// A weight as it will be stored, known before it is learned.
struct WeightSize {
  Record record;                 // sections have types and shapes; their bytes may be empty
  std::string summary;           // as summary(weight) will be
  std::size_t n_parameters = 0;  // as parameter_count(weight) will be
  std::size_t inner_width = 0;   // rank() of a low-rank weight
  std::string remarks;           // as remarks_on(weight, options), without remarks on the learning
  bool at_most = false;          // the weight may take fewer bytes than the record: entropy coding
};

}  // namespace pqw
