// Moves the bias of a layer so that it makes up for the mean error of the outputs.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pqw/codecs/input_statistics.h"
#include "pqw/core/matrix.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Whether the bias of a weight is corrected, and the activation after the layer.
enum class BiasCorrection { kOff, kNone, kRelu, kGelu, kSilu, kHardswish };

// Each of them by its name in settings.
const std::vector<std::pair<std::string, BiasCorrection>>& bias_corrections();

std::string to_string(BiasCorrection correction);

// The value of the activation. REQUIRES: not kOff.
double activated(BiasCorrection correction, double x);

// The name that the bias of a weight has by convention: fc.weight and fc.bias, in_proj_weight and
// in_proj_bias, fc/kernel and fc/bias, linear_1.w_0 and linear_1.b_0. Empty for other names.
std::string bias_name(const std::string& weight);

struct CorrectedBias {
  std::vector<std::byte> bytes = {};  // in the type of the bias; empty: the bias stays
  std::string note;                   // the decision, and the errors if the bias moves
};

// Moves the bias by the mean of (W - Ŵ)x over the inputs, if that saves 5 % or more of the error of the
// held-out rows after the activation: Σ (act(xŴᵀ + b') - act(xWᵀ + b))² / Σ act(xWᵀ + b)².
// `info` and `bytes` are the bias. The result does not depend on the number of threads.
// REQUIRES: info.shape has w.rows() elements of a float type; w and w_hat have the columns of a group
// of inputs (codecs/input_statistics.h).
CorrectedBias corrected_bias(ConstMatrix w, ConstMatrix w_hat, const InputStatistics& inputs,
                             const TensorInfo& info, std::span<const std::byte> bytes,
                             BiasCorrection correction);

// The note of a bias that stays, and why.
std::string bias_kept(const std::string& why);

}  // namespace pqw
