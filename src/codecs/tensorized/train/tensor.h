// A dense tensor in double, and its products with matrices along a mode.
#pragma once

#include <vector>

#include "codecs/train/linear_algebra.h"
#include "pqw/core/tensor.h"

namespace pqw::tensorized {

struct Tensor {
  Shape shape;
  std::vector<double> values;  // row-major
};

// Σ values²
double squared_norm(const Tensor& tensor);

// Times matrices along modes (Kolda and Bader 2009, section 2.5, with the matrices transposed):
// mode k of size d becomes r, summed over d with matrices[k] [d][r]; mode `skip` stays as it is.
Tensor shrink_modes(const Tensor& tensor, const std::vector<linear_algebra::Matrix>& matrices,
                    std::size_t skip);

// X Xᵀ of the unfoldings X [d_k][all others] along each mode, or along one of them.
std::vector<linear_algebra::Matrix> grams_of_modes(const Tensor& tensor);
linear_algebra::Matrix gram_of_mode(const Tensor& tensor, std::size_t mode);

// A tensor whose mode k is mode order[k] of this one.
Tensor permuted(const Tensor& tensor, const std::vector<std::size_t>& order);

}  // namespace pqw::tensorized
