// Quantizes a matrix so that outputs stay: later columns make up for the errors of earlier ones.
//
// As in pq (codecs/pq/train/feedback.h), but along the trellis, which takes the columns in their
// order. Each path has its own errors for as long as it is undecided (survivors.h).
#pragma once

#include <vector>

#include "codecs/tcq/train/viterbi.h"
#include "codecs/tcq/value/model.h"
#include "pqw/codecs/input_statistics.h"
#include "pqw/codecs/tcq.h"
#include "pqw/core/matrix.h"

namespace pqw::tcq {

class Feedback {
 public:
  // REQUIRES: checked statistics of the weight with a Gram matrix, damping > 0.
  Feedback(const InputStatistics& inputs, MatrixShape weight, double damping);

  // Sets the values of the weight, whose other members are set. With a model of earlier values of
  // the same shape, a bit by its frequencies costs lambda * step² of a column of mean energy.
  void quantize(ConstMatrix w, const Model* model, double lambda, TcqWeight& weight) const;

 private:
  // Columns of a group that share a block of the Gram matrix. With H = U Uᵀ, U upper triangular:
  struct Part {
    std::size_t first;
    std::size_t n;
    std::vector<float> coefficients;  // [n][n]: U_ij / U_jj for i < j, else 0
    std::vector<float> energies;      // [n]: U_jj², relative to the mean of all columns and groups
  };
  class ChunkOfRows;

  std::size_t n_groups_, n_parts_;  // parts of each group
  std::vector<Part> parts_;         // [n_groups][n_parts]
};

}  // namespace pqw::tcq
