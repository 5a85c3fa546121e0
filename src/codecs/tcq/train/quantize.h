// Quantizes a matrix by a given step.
#pragma once

#include "codecs/tcq/train/viterbi.h"
#include "codecs/tcq/value/model.h"
#include "codecs/train/gain.h"
#include "pqw/codecs/tcq.h"
#include "pqw/core/matrix.h"

namespace pqw::tcq {

// Sets the values of the weight, whose other members are set, to the path of least cost. With a
// model of earlier values of the same shape, a bit by its frequencies costs lambda * step².
void quantize(ConstMatrix w, const Model* model, double lambda, TcqWeight& weight);

// The least step with which no integer is beyond 16 bits, if the step were 1 now.
double least_step(ConstMatrix w, const TcqWeight& weight);

// Of w without the means, and the decoded weight without them.
std::vector<GainSums> gain_sums(ConstMatrix w, const TcqWeight& weight);

}  // namespace pqw::tcq
