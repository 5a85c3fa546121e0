// Tensor trains by successive singular value decompositions.
#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "codecs/tensorized/train/decompose.h"

namespace pqw::tensorized {

Train decompose_train(Tensor tensor, const std::vector<std::size_t>& ranks) {
  const std::size_t n = tensor.shape.size();
  assert(ranks.size() + 1 == n);
  Train train;
  std::vector<double> rest = std::move(tensor.values);
  std::size_t before = 1;
  for (std::size_t k = 0; k + 1 < n; ++k) {
    Matrix unfolding(before * tensor.shape[k], rest.size() / (before * tensor.shape[k]));
    unfolding.values = std::move(rest);
    const linear_algebra::Svd parts = linear_algebra::svd(std::move(unfolding));
    const std::size_t rank = ranks[k];
    assert(rank >= 1 && rank <= parts.s.size());
    std::vector<double> core(parts.u.rows * rank);
    for (std::size_t i = 0; i < parts.u.rows; ++i) {
      for (std::size_t r = 0; r < rank; ++r) core[i * rank + r] = parts.u(i, r);
    }
    train.cores.push_back(std::move(core));
    rest.resize(rank * parts.vt.cols);
    for (std::size_t r = 0; r < rank; ++r) {
      for (std::size_t j = 0; j < parts.vt.cols; ++j) {
        rest[r * parts.vt.cols + j] = parts.s[r] * parts.vt(r, j);
      }
    }
    double cut = 0;
    for (std::size_t r = rank; r < parts.s.size(); ++r) cut += parts.s[r] * parts.s[r];
    train.discarded.push_back(std::sqrt(cut));
    before = rank;
  }
  train.cores.push_back(std::move(rest));
  return train;
}

std::vector<std::size_t> largest_train_ranks(const std::vector<std::size_t>& modes) {
  constexpr std::size_t kMax = std::numeric_limits<std::size_t>::max();
  const auto times = [](std::size_t a, std::size_t b) { return a > kMax / b ? kMax : a * b; };
  std::vector<std::size_t> ranks(modes.size() - 1);
  std::size_t side = 1;
  for (std::size_t k = 0; k < ranks.size(); ++k) ranks[k] = side = times(side, modes[k]);
  side = 1;
  for (std::size_t k = ranks.size(); k-- > 0;) {
    side = times(side, modes[k + 1]);
    ranks[k] = std::min(ranks[k], side);
  }
  return ranks;
}

}  // namespace pqw::tensorized
