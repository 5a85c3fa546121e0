// Outlier centroids: far longer than the others of their codebook; their codes need no tables.
//
// The integer tables of a codebook share a scale, which the longest centroid sets. A trained weight
// often has a few blocks of outliers with centroids of their own, up to a hundred times as long as
// the rest: without them the tables are as many times finer.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "pqw/codecs/pq.h"

namespace pqw {

class OutlierCentroids {
 public:
  static constexpr std::size_t kMostRows = std::numeric_limits<std::uint32_t>::max();

  // Of each codebook the longest centroids that have, together, at most that share of its codes.
  // REQUIRES: weight.rows() <= kMostRows.
  OutlierCentroids(const PqWeight& weight, double share);

  // The codebooks of the weight with zeros in the place of the outliers.
  const std::vector<float>& others() const { return others_; }

  // The codes of outliers, and the different products of a block of x and a centroid that
  // they stand for.
  std::size_t n_codes() const { return codes_.size(); }
  std::size_t n_products() const { return products_.size(); }

  // The products of a row of x: float[n_products()].
  void multiply(const float* x, float* products) const;

  // y[r] += the products of the codes of row first + r of W, in the order of their positions.
  void add(const float* products, std::size_t first, std::span<float> y) const;

 private:
  struct Product {
    std::size_t column;  // where the block of x starts
    std::size_t n_columns;
    std::size_t centroid;  // where it starts in centroids_
  };
  struct Code {
    std::uint32_t row;
    std::uint32_t product;
  };

  std::vector<float> centroids_;  // the codebooks of the weight
  std::vector<float> others_;
  std::vector<Product> products_;  // by position
  std::vector<Code> codes_;        // by row, then position
};

}  // namespace pqw
