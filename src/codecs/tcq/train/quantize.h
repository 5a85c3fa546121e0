// Quantizes a matrix by a given step.
#pragma once

#include <span>

#include "codecs/tcq/train/viterbi.h"
#include "codecs/tcq/value/model.h"
#include "codecs/train/gain.h"
#include "pqw/codecs/tcq.h"
#include "pqw/core/matrix.h"

namespace pqw::tcq {

// Sets the values of the weight, whose other members are set, to the path of least cost. With a
// model of earlier values of the same shape, a bit by its frequencies costs lambda * step².
void quantize(ConstMatrix w, const Model* model, double lambda, TcqWeight& weight);

inline constexpr float kMostWeight = 32750;  // in steps

// The weights of row r without the means, in units of its step, clamped to kMostWeight; every
// `stride` floats.
void row_in_steps(std::span<const float> row, std::size_t r, const TcqWeight& weight,
                  std::size_t stride, float* out);

// The classes of the integers of row r, by a model of earlier ones; every `stride` bytes.
void classes_of_row(const Model& model, std::size_t r, std::size_t n_cols, std::size_t stride,
                    std::uint8_t* out);

// The costs of indices by their frequencies.
Rates rates_of(const Counts& counts, double lambda);

// The least step with which no integer is beyond 16 bits, if the step were 1 now.
double least_step(ConstMatrix w, const TcqWeight& weight);

// Of w without the means, and the decoded weight without them.
std::vector<GainSums> gain_sums(ConstMatrix w, const TcqWeight& weight);

}  // namespace pqw::tcq
