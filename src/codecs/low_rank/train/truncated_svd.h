// The largest singular values of a matrix and their vectors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "codecs/train/linear_algebra.h"

namespace pqw {

// The best approximation is u diag(s) vt. u is [m][rank], vt is [rank][n]; s falls.
struct TruncatedSvd {
  linear_algebra::Matrix u;
  std::vector<double> s;
  linear_algebra::Matrix vt;
  double all_squares = 0;            // Σ s² of all values: ‖a‖²
  std::optional<double> all_values;  // Σ s of all values, where they were found
};

// All singular values, by LAPACK. Errors: kUnsupported when it does not converge.
TruncatedSvd full_svd(const linear_algebra::Matrix& a);

// Drops all but the largest `rank` values. REQUIRES: there are at least `rank` values.
void keep(TruncatedSvd& svd, std::size_t rank);

// N. Halko, P.-G. Martinsson and J. Tropp, "Finding structure with randomness: probabilistic
// algorithms for constructing approximate matrix decompositions" (SIAM Review 2011), algorithms 4.4
// and 5.1: the values are found in an orthonormal basis of (x xᵀ)^q Ω, where x is a or aᵀ,
// whichever is wide, and Ω has normal random columns, more than the rank. Deterministic. REQUIRES:
// rank <= both sides of a.
TruncatedSvd randomized_svd(const linear_algebra::Matrix& a, std::size_t rank, std::uint64_t seed);

}  // namespace pqw
