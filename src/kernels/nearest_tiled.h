// The nearest centroid of each block, for any vector instruction set.
//
// Expanding ‖x-c‖²/2 = ‖x‖²/2 + (‖c‖²/2 - x·c) leaves one multiply-add per weight in the score in
// parentheses, but it cancels: a score may be wrong by more than two distances differ. So scores
// only find the tile with the best centroid, among lanes of blocks. Inside of that tile distances
// are computed without expansion; and where the best score of another tile comes closer than the
// rounding of both can explain, every tile is (`look_again`). Both keep the lowest index of equals.
//
// How close (`margin`): a score is a sum of d + 1 terms of sizes up to ‖x‖‖c‖ and ‖c‖²/2, rounded
// d + 1 times, of inputs rounded once by the shift; its error is below (d + 4) 2⁻²⁴ (‖x‖‖c‖ +
// ‖c‖²/2). A centroid no farther than the best one, at distance D, has ‖c‖ <= ‖x‖ + D. The margin
// is twice that bound and doubled again for the rounding of the margin itself.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "kernels/nearest.h"

namespace pqw::kernels {

// V is a vector of V::kLanes floats; see nearest_avx512.cpp for the operations it has.
template <class V>
class TiledNearest {
 public:
  TiledNearest(const CentroidTiles& tiles, float* scratch)
      : tiles_(tiles), n_tiles_(tile_count(tiles.n_centroids)), lanes_(scratch) {}

  void run(const float* blocks, std::size_t n, std::uint16_t* codes, float* distances) {
    const std::size_t d = tiles_.d;
    for (std::size_t first = 0; first < n; first += kBlocksAtOnce) {
      const std::size_t count = n - first < kBlocksAtOnce ? n - first : kBlocksAtOnce;
      fill_lanes(blocks + first * d, count);
      clear_ = 0;
      for (std::size_t part = 0; part < kBlocksAtOnce; part += kWidth) score(part);
      for (std::size_t i = 0; i < count; ++i) {
        const float* block = blocks + (first + i) * d;
        Best best = look_into(block, static_cast<std::size_t>(best_tile_[i]));
        if (((clear_ >> i) & 1u) == 0) best = look_again(block);
        codes[first + i] = static_cast<std::uint16_t>(best.index);
        distances[first + i] = best.distance;
      }
    }
  }

 private:
  static constexpr std::size_t kVectors = 2;  // vectors of blocks that share a centroid's load
  static constexpr std::size_t kWidth = kVectors * V::kLanes;
  static constexpr std::size_t kCentroids = V::kCentroids;  // whose sums are in registers at once

  struct Best {
    float distance;
    std::size_t index;
  };

  // Layout: lanes_ is float[d][kBlocksAtOnce]: the shifted blocks; behind the last one, copies of
  // it.
  void fill_lanes(const float* blocks, std::size_t count) {
    const std::size_t d = tiles_.d;
    std::int32_t offsets[kBlocksAtOnce];
    for (std::size_t i = 0; i < kBlocksAtOnce; ++i) {
      offsets[i] = static_cast<std::int32_t>((i < count ? i : count - 1) * d);
    }
    for (std::size_t j = 0; j < d; ++j) {
      const V shift = V::set(tiles_.shift[j]);
      for (std::size_t i = 0; i < kBlocksAtOnce; i += V::kLanes) {
        V::sub(V::gather(blocks + j, offsets + i), shift).store(lanes_ + j * kBlocksAtOnce + i);
      }
    }
  }

  // Finds the best tile of the blocks part .. part+kWidth-1, and whether it clearly is.
  void score(std::size_t part) {
    V best[kVectors], second[kVectors], index[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      best[v] = second[v] = V::set(3e38f);
      index[v] = V::set(0);
    }
    for (std::size_t t = 0; t < n_tiles_; ++t) {
      V least[kVectors];
      best_scores(t, part, least);
      const V number = V::set(static_cast<float>(t));
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kVectors; ++v) {
        second[v] = V::min(second[v], V::max(best[v], least[v]));
        index[v] = V::if_less(least[v], best[v], number, index[v]);
        best[v] = V::min(best[v], least[v]);
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = part + v * V::kLanes;
      index[v].store(best_tile_ + at);
      clear_ |= V::less_mask(margin(at, best[v]), V::sub(second[v], best[v])) << at;
    }
  }

  // The smallest score of a tile for each block.
  void best_scores(std::size_t t, std::size_t part, V* least) const {
    const std::size_t d = tiles_.d;
    const float* tile = tiles_.shifted + t * d * kTile;
    const float* norms = tiles_.half_norms + t * kTile;
    for (std::size_t k0 = 0; k0 < kTile; k0 += kCentroids) {
      V sums[kCentroids][kVectors];
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kCentroids; ++k) {
        sums[k][0] = sums[k][1] = V::set(norms[k0 + k]);
      }
      for (std::size_t j = 0; j < d; ++j) {
        const V x0 = V::load(lanes_ + j * kBlocksAtOnce + part);
        const V x1 = V::load(lanes_ + j * kBlocksAtOnce + part + V::kLanes);
#pragma GCC unroll 8
        for (std::size_t k = 0; k < kCentroids; ++k) {
          const V c = V::set(tile[j * kTile + k0 + k]);
          sums[k][0] = V::subtract_product(sums[k][0], x0, c);
          sums[k][1] = V::subtract_product(sums[k][1], x1, c);
        }
      }
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kVectors; ++v) {
        V smallest = sums[0][v];
#pragma GCC unroll 8
        for (std::size_t k = 1; k < kCentroids; ++k) smallest = V::min(smallest, sums[k][v]);
        least[v] = k0 == 0 ? smallest : V::min(least[v], smallest);
      }
    }
  }

  // How much the best score of another tile has to be above `best` to be worse for sure.
  V margin(std::size_t at, V best) const {
    V squares = V::set(0);
    for (std::size_t j = 0; j < tiles_.d; ++j) {
      const V x = V::load(lanes_ + j * kBlocksAtOnce + at);
      squares = V::add_product(squares, x, x);
    }
    const V norm = V::sqrt(squares);
    const V twice_best = V::add(best, best);
    const V distance = V::sqrt(V::max(V::set(0), V::add(twice_best, squares)));
    const V reach = V::add(norm, distance);
    const V terms = V::add_product(V::mul(V::mul(reach, reach), V::set(0.5f)), norm, reach);
    return V::mul(terms, V::set(static_cast<float>(tiles_.d + 4) * 0x1p-22f));
  }

  // The nearest centroid of a tile.
  Best look_into(const float* block, std::size_t t) const {
    const std::size_t d = tiles_.d;
    const float* tile = tiles_.centroids + t * d * kTile;
    V sums[kTile / V::kLanes];
    for (V& sum : sums) sum = V::set(0);
    for (std::size_t j = 0; j < d; ++j) {
      const V x = V::set(block[j]);
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kTile / V::kLanes; ++v) {
        const V difference = V::sub(x, V::load(tile + j * kTile + v * V::kLanes));
        sums[v] = V::add_product(sums[v], difference, difference);
      }
    }
    V least = sums[0];
    for (std::size_t v = 1; v < kTile / V::kLanes; ++v) least = V::min(least, sums[v]);
    const float distance = V::smallest(least);
    std::uint32_t equal = 0;
    for (std::size_t v = 0; v < kTile / V::kLanes; ++v) {
      equal |= V::equal_mask(sums[v], V::set(distance)) << (v * V::kLanes);
    }
    return {distance, t * kTile + static_cast<std::size_t>(std::countr_zero(equal))};
  }

  Best look_again(const float* block) const {
    Best best = look_into(block, 0);
    for (std::size_t t = 1; t < n_tiles_; ++t) {
      const Best other = look_into(block, t);
      if (other.distance < best.distance) best = other;
    }
    return best;
  }

  const CentroidTiles& tiles_;
  std::size_t n_tiles_;
  float* lanes_;
  alignas(64) float best_tile_[kBlocksAtOnce];
  std::uint32_t clear_ = 0;  // bit i: the best tile of block i is the best for sure
};

}  // namespace pqw::kernels
