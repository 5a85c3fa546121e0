// Statistics of the inputs of a model's weights, from recorded inputs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pqw/compress/recipe.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"
#include "pqw/io/options.h"

namespace pqw {

struct CalibrateOptions {
  // Settings of weights, by patterns (compress/recipe.h); the first match counts. Of convolutions
  // `stride`, `padding` and `dilation`: one number, or one for each dimension of the kernel, such as
  // 2x1; by default 1, 0 and 1. `kind` and `layout` as in recipes.
  std::vector<Rule> rules = {};
  // A weight of more columns gets Gram matrices of so many columns each; 0: no Gram matrices.
  std::size_t gram_block = 4096;
  // Rows of inputs kept apart for judging: at most so many, and an eighth of all rows.
  std::size_t most_held_out = 256;
  std::uint64_t seed = 0;  // of the choice of held-out rows
  bool overwrite = false;
  ReadOptions reading = {};
};

struct CalibratedTensor {
  TensorInfo info;
  std::size_t cols = 0;      // of all groups of a convolution (codecs/input_statistics.h)
  std::uint64_t n_rows = 0;  // in the statistics
  std::size_t n_held_out = 0;
  std::size_t gram_block = 0;
};

struct CalibrationReport {
  std::vector<CalibratedTensor> tensors;  // with statistics, in the order of the model
  std::vector<std::string> without;       // names of float tensors of rank 2 or more without inputs
  std::vector<Skipped> skipped;           // what of the inputs was left out, and why
  std::uint64_t file_bytes = 0;
};

// Checks the keys of a rule, and the values of windows. Errors: kInvalidArgument.
void check_calibrate_rule(const Rule& rule);

// Reads files of recorded inputs (open_weights) and writes a file of their statistics
// (calibration/statistics_file.h). An array has the name of the weight that it is an input of, and
// F16, BF16, F32 or F64 elements. The arrays of that name in several files add up. Shapes:
//   - of a linear weight [out, in]: [..., in], each vector a row of x;
//   - of a convolution [out, in, kernel...]: [n, in, spatial...], which is unfolded into patches
//     [in][kernel...], or [rows, in*kernel...], which are patches already. In a convolution of G
//     groups, G times as many channels or columns. Of a transposed convolution without groups, a
//     patch holds the inputs that one output is computed from, with zeros where there is none.
// Inputs of depthwise weights [channels, multiplier, kernel...] with a multiplier above 1 are left
// out, and listed in `skipped`.
// One array at a time is in memory, and the statistics of one weight. Each array is read once.
// Equal input and options give equal bytes on one machine, with any number of threads.
//
// Errors: those of open_decoded and open_weights; kInvalidArgument: an array without a weight, of
// another type or shape, or with values that are NaN, infinite or above 1e18; fewer than 16 rows; a
// wrong setting, a pattern that matches no tensor; before any work, an output that would replace an
// input or has another extension than .h5 or .hdf5; kNotFound: no arrays.
CalibrationReport calibrate(const std::string& model, std::span<const std::string> inputs,
                            const std::string& output, const CalibrateOptions& options = {});

}  // namespace pqw
