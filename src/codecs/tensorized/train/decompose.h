// Decomposes tensors into factors: CP, Tucker, tensor trains.
#pragma once

#include <cstdint>
#include <vector>

#include "codecs/tensorized/train/tensor.h"
#include "codecs/train/linear_algebra.h"

namespace pqw::tensorized {

using linear_algebra::Matrix;

struct Effort {
  std::size_t iterations;  // sweeps over all modes at most
  std::size_t restarts;    // of kCp: starts of which the best counts
  double tolerance;        // stop when the relative error falls by less
  std::uint64_t seed;      // of the starts of kCp that are drawn
};

// CP by alternating least squares (Kolda and Bader 2009, figure 3.3), each step with the proximal
// term μ‖A - A_before‖² (Navasca, De Lathauwer and Kindermann 2008, "Swamp reducing technique for
// tensor decomposition"), which bounds the steps where the normal equations are nearly singular
// and vanishes where they converge. The first start is made of the singular vectors of the
// unfoldings, filled up with random columns; the others are random. Returns per mode [d_k][rank].
// The first n_row_modes modes are contracted together, and so are the others.
std::vector<Matrix> decompose_cp(const Tensor& tensor, std::size_t n_row_modes, std::size_t rank,
                                 const Effort& effort);

// Tucker: the leading singular vectors of each unfolding (HOSVD; De Lathauwer, De Moor and
// Vandewalle 2000a), improved mode by mode (HOOI; 2000b, "On the best rank-1 and
// rank-(R1,R2,...,RN) approximation"). `core` has the shape of the ranks, which are no larger than
// the modes.
struct Tucker {
  std::vector<Matrix> factors;  // per mode [d_k][r_k], orthonormal columns
  Tensor core;
};
Tucker decompose_tucker(const Tensor& tensor, const std::vector<std::size_t>& ranks,
                        const Effort& effort);

// TT-SVD (Oseledets 2011, algorithm 1) to given ranks between the modes, none larger than
// largest_train_ranks. Core k is [r_(k-1)][d_k][r_k]. `discarded[k]` is the norm ε_k of what step
// k cut off: the error is at most sqrt(Σ ε_k²) (theorem 2.2).
struct Train {
  std::vector<std::vector<double>> cores;
  std::vector<double> discarded;
};
Train decompose_train(Tensor tensor, const std::vector<std::size_t>& ranks);

// Ranks that hold any tensor of these modes: the smaller side of each unfolding.
std::vector<std::size_t> largest_train_ranks(const std::vector<std::size_t>& modes);

}  // namespace pqw::tensorized
