// Tucker by HOSVD and HOOI.
#include <algorithm>
#include <cmath>

#include "codecs/tensorized/train/decompose.h"

namespace pqw::tensorized {
Tucker decompose_tucker(const Tensor& tensor, const std::vector<std::size_t>& ranks,
                        const Effort& effort) {
  const std::size_t n = tensor.shape.size();
  Tucker tucker;
  const std::vector<Matrix> grams = grams_of_modes(tensor);
  for (std::size_t k = 0; k < n; ++k) {
    tucker.factors.push_back(linear_algebra::leading_eigenvectors(grams[k], ranks[k]));
  }
  tucker.core = shrink_modes(tensor, tucker.factors, n);
  // The bases are orthonormal: ‖T - T̂‖² = ‖T‖² - ‖core‖².
  const double norm = squared_norm(tensor);
  const auto error = [&] {
    return norm == 0 ? 0 : std::sqrt(std::max(0.0, 1 - squared_norm(tucker.core) / norm));
  };
  double least = error();
  for (std::size_t iteration = 0; iteration < effort.iterations && least > 0; ++iteration) {
    for (std::size_t k = 0; k < n; ++k) {
      if (ranks[k] == tensor.shape[k]) continue;  // any basis is as good
      tucker.factors[k] = linear_algebra::leading_eigenvectors(
          gram_of_mode(shrink_modes(tensor, tucker.factors, k), k), ranks[k]);
    }
    tucker.core = shrink_modes(tensor, tucker.factors, n);
    const double before = least;
    least = error();
    if (before - least < effort.tolerance) break;
  }
  return tucker;
}

}  // namespace pqw::tensorized
