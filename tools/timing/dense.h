// Dense float32 products by OpenBLAS, with which serving is compared.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "pqw/core/matrix.h"

namespace pqw::timing {

enum class DenseMethod {
  kGemm,  // one matrix product
  kGemv,  // a matrix-vector product for each row of x
};
const char* blas_name(DenseMethod method);

// y = x Wᵀ. REQUIRES: w is [rows][cols], x [batch][cols], y [batch][rows]; rows lie side by side.
void multiply_dense(DenseMethod method, ConstMatrix w, ConstMatrix x, MutableMatrix y);

// The same in double, row-major: the reference for answers.
std::vector<double> multiply_in_double(ConstMatrix w, ConstMatrix x);

// ‖y - y'‖ / ‖y'‖: 0 when nothing differs, infinity or NaN when y is not finite or only y' is zero.
double relative_error(const std::vector<float>& y, const std::vector<double>& expected);

// The processor whose kernels OpenBLAS chose ("SkylakeX").
std::string blas_core();

// Sets how many threads OpenBLAS uses. Errors: kIo when it cannot have so many.
void set_blas_threads(std::size_t n_threads);

}  // namespace pqw::timing
