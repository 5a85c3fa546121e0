// Checking an answer with plain loops in double.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "bench/em.h"

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

nlohmann::ordered_json check_answer(const Job& job, double max_excess) {
  constexpr std::size_t kSampleMacs = std::size_t{1} << 28;
  const std::vector<float> blocks = read_raw<float>(job.blocks_path);
  const std::vector<float> codebook = read_raw<float>(job.answer_path + ".codebook");
  const std::vector<std::uint16_t> codes = read_raw<std::uint16_t>(job.answer_path + ".codes");
  const std::size_t d = job.block_size, n_centroids = job.n_centroids;
  const std::size_t n_blocks = blocks.size() / d;
  double squared_norm = 0, objective = 0;
  for (const float v : blocks) squared_norm += static_cast<double>(v) * static_cast<double>(v);
  const auto result = [&](const std::string& problem) {
    return nlohmann::ordered_json{
        {"objective", objective}, {"squared_norm", squared_norm}, {"problem", problem}};
  };
  if (codebook.size() != n_centroids * d) {
    return result(fmt::format("{} centroids, not {}", codebook.size() / d, n_centroids));
  }
  if (!std::ranges::all_of(codebook, [](float v) { return std::isfinite(v); })) {
    return result("a centroid is not finite");
  }
  if (codes.size() != n_blocks) {
    return result(fmt::format("{} codes for {} blocks", codes.size(), n_blocks));
  }
  if (std::ranges::any_of(codes, [=](std::uint16_t code) { return code >= n_centroids; })) {
    return result("a code without a centroid");
  }
  for (std::size_t i = 0; i < n_blocks; ++i) {
    objective += squared_distance(&blocks[i * d], &codebook[codes[i] * d], d);
  }
  const std::size_t stride = std::max<std::size_t>(1, n_blocks * n_centroids * d / kSampleMacs);
  double given = 0;
  double least = 0;
  for (std::size_t i = 0; i < n_blocks; i += stride) {
    given += squared_distance(&blocks[i * d], &codebook[codes[i] * d], d);
    least += least_squared_distance(&blocks[i * d], codebook, d);
  }
  const double excess = least > 0 ? given / least - 1 : given;
  return result(excess > max_excess ? fmt::format("codes {:.2g} worse than the nearest", excess)
                                    : "");
}

}  // namespace pqw::bench
