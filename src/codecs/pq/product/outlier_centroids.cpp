// Centroids far longer than the others of their codebook.
#include "codecs/pq/product/outlier_centroids.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace pqw {
namespace {

double squared_norm(std::span<const float> centroid) {
  double squares = 0;
  for (const float value : centroid) squares += static_cast<double>(value) * value;
  return squares;
}

// Which centroids are outliers, [groups][n_centroids]. `counts`: their codes.
std::vector<bool> find_outliers(const PqWeight& weight, const std::vector<std::size_t>& counts,
                                double share) {
  const std::size_t n = weight.n_centroids;
  std::vector<bool> is_outlier(weight.n_groups * n, false);
  std::vector<double> lengths(n);
  std::vector<std::size_t> longest_first(n);
  for (std::size_t g = 0; g < weight.n_groups; ++g) {
    const std::size_t* group_counts = counts.data() + g * n;
    for (std::size_t k = 0; k < n; ++k) {
      lengths[k] = squared_norm(
          std::span(weight.codebooks).subspan((g * n + k) * weight.block_size, weight.block_size));
    }
    std::iota(longest_first.begin(), longest_first.end(), std::size_t{0});
    std::ranges::stable_sort(longest_first,
                             [&](std::size_t a, std::size_t b) { return lengths[a] > lengths[b]; });
    const std::size_t all = std::accumulate(group_counts, group_counts + n, std::size_t{0});
    auto left = static_cast<std::size_t>(share * static_cast<double>(all));
    for (const std::size_t k : longest_first) {
      if (group_counts[k] > left) break;
      left -= group_counts[k];
      is_outlier[g * n + k] = true;
    }
  }
  return is_outlier;
}

}  // namespace

OutlierCentroids::OutlierCentroids(const PqWeight& weight, double share)
    : centroids_(weight.codebooks), others_(weight.codebooks) {
  const std::size_t n = weight.n_centroids, d = weight.block_size;
  const std::vector<std::uint32_t> group_of = group_of_positions(weight);
  std::vector<std::size_t> counts(weight.n_groups * n);
  for (std::size_t p = 0; p < group_of.size(); ++p) {
    for (const std::size_t k : weight.codes_of(p)) ++counts[group_of[p] * n + k];
  }
  const std::vector<bool> is_outlier = find_outliers(weight, counts, share);
  for (std::size_t i = 0; i < others_.size(); ++i) {
    if (is_outlier[i / d]) others_[i] = 0;
  }

  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::vector<std::uint32_t> product_of(n);
  for (std::size_t p = 0; p < group_of.size(); ++p) {
    std::ranges::fill(product_of, kNone);
    const std::span<const std::uint16_t> codes = weight.codes_of(p);
    for (std::size_t r = 0; r < codes.size(); ++r) {
      const std::size_t k = codes[r];
      if (!is_outlier[group_of[p] * n + k]) continue;
      if (product_of[k] == kNone) {
        product_of[k] = static_cast<std::uint32_t>(products_.size());
        products_.push_back({.column = p * d,
                             .n_columns = std::min(d, weight.cols() - p * d),
                             .centroid = (group_of[p] * n + k) * d});
      }
      codes_.push_back({static_cast<std::uint32_t>(r), product_of[k]});
    }
  }
  std::ranges::stable_sort(codes_, {}, &Code::row);
}

void OutlierCentroids::multiply(const float* x, float* products) const {
  for (const Product& product : products_) {
    float sum = 0;
    for (std::size_t j = 0; j < product.n_columns; ++j) {
      sum += x[product.column + j] * centroids_[product.centroid + j];
    }
    *products++ = sum;
  }
}

void OutlierCentroids::add(const float* products, std::size_t first, std::span<float> y) const {
  for (auto code = std::ranges::lower_bound(codes_, first, {}, &Code::row);
       code != codes_.end() && code->row < first + y.size(); ++code) {
    y[code->row - first] += products[code->product];
  }
}

}  // namespace pqw
