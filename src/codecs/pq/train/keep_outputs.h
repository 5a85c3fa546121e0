// Learns codebooks and codes that keep the outputs of a layer, not its weights.
#pragma once

#include <functional>
#include <span>

#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/pq.h"

namespace pqw {

// Learns the codebooks and codes of a weight that has its row scales already.
using LearnWeight = std::function<void(const Blocks&, const PqImportance&, PqWeight&)>;

// Lowers Σ (w-ŵ) H (w-ŵ)ᵀ (codecs/train/input_metric.h) in rounds: codes with feedback
// (feedback.h), then centroids for these codes (refit.h). `learn` learns the first codebooks. Codebooks of large weights are learned from a
// sample of rows, unless groups of rows have inputs of their own. The damping is the one with the least error on the held-out inputs. There is no
// gain: refitted codebooks have the amplitude of the least error.
// With a lambda (PqOptions), a bit of a code costs as much as in entropy-constrained EM (ecvq.h).
// REQUIRES: checked statistics with a Gram matrix; weight.n_additive == 1; importance.columns are
// the column_importances of the inputs.
void keep_outputs(const Blocks& blocks, const InputStatistics& inputs,
                  const PqImportance& importance, double lambda, const LearnWeight& learn,
                  PqWeight& weight);

}  // namespace pqw
