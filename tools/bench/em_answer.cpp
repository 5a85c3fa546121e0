// Checking an answer with plain loops in double.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "bench/em_contenders.h"

namespace pqw::bench {
namespace {

double squared_distance(const float* x, const float* c, std::size_t d) {
  double sum = 0;
  for (std::size_t j = 0; j < d; ++j) {
    const double difference = static_cast<double>(x[j]) - static_cast<double>(c[j]);
    sum += difference * difference;
  }
  return sum;
}

double least_squared_distance(const float* x, std::span<const float> codebook, std::size_t d) {
  double least = squared_distance(x, codebook.data(), d);
  for (std::size_t k = 1; k * d < codebook.size(); ++k) {
    least = std::min(least, squared_distance(x, &codebook[k * d], d));
  }
  return least;
}

}  // namespace

Checked check_answer(std::span<const float> blocks, std::size_t block_size, std::size_t n_centroids,
                     std::span<const float> codebook, std::span<const std::uint16_t> codes,
                     double max_excess) {
  constexpr std::size_t kSampleMacs = std::size_t{1} << 28;
  const std::size_t d = block_size;
  const std::size_t n_blocks = blocks.size() / d;
  if (codebook.size() != n_centroids * d) {
    return {.problem = fmt::format("{} centroids, not {}", codebook.size() / d, n_centroids)};
  }
  if (!std::ranges::all_of(codebook, [](float v) { return std::isfinite(v); })) {
    return {.problem = "a centroid is not finite"};
  }
  if (codes.size() != n_blocks) {
    return {.problem = fmt::format("{} codes for {} blocks", codes.size(), n_blocks)};
  }
  if (std::ranges::any_of(codes, [=](std::uint16_t code) { return code >= n_centroids; })) {
    return {.problem = "a code without a centroid"};
  }
  Checked checked;
  for (std::size_t i = 0; i < n_blocks; ++i) {
    checked.objective += squared_distance(&blocks[i * d], &codebook[codes[i] * d], d);
  }
  const std::size_t stride = std::max<std::size_t>(1, n_blocks * n_centroids * d / kSampleMacs);
  double given = 0;
  double least = 0;
  for (std::size_t i = 0; i < n_blocks; i += stride) {
    given += squared_distance(&blocks[i * d], &codebook[codes[i] * d], d);
    least += least_squared_distance(&blocks[i * d], codebook, d);
  }
  checked.excess = least > 0 ? given / least - 1 : given;
  if (checked.excess > max_excess) {
    checked.problem = fmt::format("codes {:.2g} worse than the nearest", checked.excess);
  }
  return checked;
}

double squared_norm(std::span<const float> blocks) {
  double sum = 0;
  for (const float v : blocks) sum += static_cast<double>(v) * static_cast<double>(v);
  return sum;
}

}  // namespace pqw::bench
