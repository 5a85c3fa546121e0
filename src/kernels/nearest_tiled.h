// The nearest centroid of each block, for any vector instruction set.
//
// A distance is b + ‖x-c‖², with the bias b of the centroid. Expanding ‖x-c‖²/2 = ‖x‖²/2 + (‖c‖²/2
// - x·c) leaves one multiply-add per weight in the score b/2 + ‖c‖²/2 - x·c, but it cancels: the
// error of a score may be larger than the difference of two distances. So scores only find the tile
// with the best centroid, for the blocks in the lanes. Inside that tile, distances are computed
// without expansion. If rounding may have hidden a better centroid in another tile, distances to
// all tiles are computed (`look_again`). Among equal distances both choose the lowest index.
//
// How close (`margin`): a score is a sum of d + 1 terms of sizes up to ‖x‖‖c‖ and (b + ‖c‖²)/2,
// rounded d + 1 times, of inputs rounded once by the shift; its error is below (d + 4) 2⁻²⁴ (‖x‖‖c‖
// + (b + ‖c‖²)/2). Let D² be the distance of the best centroid. A centroid no farther has E² =
// ‖x-c‖² <= D² - b and ‖c‖ <= ‖x‖ + E. So the sum in parentheses is at most
// 1.5‖x‖² + 2‖x‖E + (E² + b)/2 <= 2.5‖x‖² + E² + D²/2 <= 2.5‖x‖² + 1.5D².
// The margin is twice that bound, and doubled again for the rounding of the margin itself.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>

#include "kernels/nearest.h"
#include "kernels/vectors.h"

namespace pqw::kernels {

// What an instruction set supplies: `Floats`, its vector, and operations without an operator.
template <class I>
concept NearestInstructions = requires(typename I::Floats a, const float* const* rows,
                                       typename I::Floats* columns) {
  requires kCentroidLanes % kLanesOf<typename I::Floats> == 0;
  requires kBlocksAtOnce % (I::kVectors * kLanesOf<typename I::Floats>) == 0;
  requires kCentroidLanes % I::kCentroids == 0;  // kVectors * kCentroids sums stay in registers
  // (rows, j0, n, columns): lane i of columns[j] = rows[i][j0 + j] for all lanes, j < n <= 8. It
  // writes 8 columns, and reads no row from j0 + n on. No address needs alignment.
  { I::load_columns(rows, 0, 8, columns) } -> std::same_as<void>;
  { I::less_mask(a, a) } -> std::same_as<std::uint32_t>;   // bit i: a < b in lane i
  { I::equal_mask(a, a) } -> std::same_as<std::uint32_t>;  // bit i: a == b in lane i
  { I::smallest(a) } -> std::same_as<float>;               // of all lanes
};

template <NearestInstructions I>
class TiledNearest {
 public:
  TiledNearest(const CentroidTiles& tiles, float* scratch)
      : tiles_(tiles),
        n_tiles_(tile_count(tiles.n_centroids)),
        lanes_(scratch + (64 - reinterpret_cast<std::uintptr_t>(scratch) % 64) / sizeof(float)) {}

  void run(const float* blocks, std::size_t n, std::uint16_t* codes, float* distances) {
    for (std::size_t first = 0; first < n; first += kBlocksAtOnce) {
      const std::size_t count = n - first < kBlocksAtOnce ? n - first : kBlocksAtOnce;
      for (std::size_t i = 0; i < kBlocksAtOnce; ++i) {
        rows_[i] = blocks + (first + (i < count ? i : count - 1)) * tiles_.d;
      }
      fill_lanes();
      clear_ = 0;
      for (std::size_t part = 0; part < kBlocksAtOnce; part += kWidth) score(part);
      for (std::size_t i = 0; i < count; i += kLooks) {
        Best best[kLooks];
        look_into(rows_ + i, best_tile_ + i, best);
        for (std::size_t l = 0; l < kLooks && i + l < count; ++l) {
          if (((clear_ >> (i + l)) & 1u) == 0) best[l] = look_again(rows_[i + l]);
          codes[first + i + l] = static_cast<std::uint16_t>(best[l].index);
          distances[first + i + l] = best[l].distance;
        }
      }
    }
  }

 private:
  using V = typename I::Floats;
  static constexpr std::size_t kLanes = kLanesOf<V>;
  static constexpr std::size_t kVectors = I::kVectors;  // of blocks that share a centroid's load
  static constexpr std::size_t kWidth = kVectors * kLanes;
  static constexpr std::size_t kCentroids = I::kCentroids;  // whose sums are in registers at once
  static constexpr std::size_t kLooks = 4;  // distances to tiles at once, to hide their latency

  static constexpr std::size_t kPerTile = kCentroidLanes / kLanes;

  struct Best {
    float distance;
    std::size_t index;
  };

  static V min(V a, V b) { return a < b ? a : b; }
  static V max(V a, V b) { return a > b ? a : b; }

  // Layout: lanes_ is float[d][kBlocksAtOnce]: the shifted blocks, then copies of the last one.
  void fill_lanes() {
    const std::size_t d = tiles_.d;
    for (std::size_t j0 = 0; j0 < d; j0 += 8) {
      const std::size_t n_columns = d - j0 < 8 ? d - j0 : 8;
      for (std::size_t i = 0; i < kBlocksAtOnce; i += kLanes) {
        V columns[8];
        I::load_columns(rows_ + i, j0, n_columns, columns);
        float* to = lanes_ + j0 * kBlocksAtOnce + i;
        for (std::size_t j = 0; j < n_columns; ++j) {
          store(columns[j] - tiles_.shift[j0 + j], to + j * kBlocksAtOnce);
        }
      }
    }
  }

  // Finds the best tile of the blocks part .. part+kWidth-1, and whether it is the best for sure.
  void score(std::size_t part) {
    V best[kVectors], second[kVectors], index[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) {
      best[v] = second[v] = V{} + 3e38f;
      index[v] = V{};
    }
    for (std::size_t t = 0; t < n_tiles_; ++t) {
      V least[kVectors];
      best_scores(t, part, least);
      const V number = V{} + static_cast<float>(t);
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        second[v] = min(second[v], max(best[v], least[v]));
        index[v] = least[v] < best[v] ? number : index[v];
        best[v] = min(best[v], least[v]);
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::size_t at = part + v * kLanes;
      const auto tiles = __builtin_convertvector(index[v], decltype(index[v] < index[v]));
      std::memcpy(best_tile_ + at, &tiles, sizeof(tiles));
      clear_ |= I::less_mask(margin(at, best[v]), second[v] - best[v]) << at;
    }
  }

  // The smallest score of a tile for each block.
  void best_scores(std::size_t t, std::size_t part, V* least) const {
    const std::size_t d = tiles_.d;
    const float* tile = tiles_.shifted + t * d * kCentroidLanes;
    const float* norms = tiles_.half_norms + t * kCentroidLanes;
    for (std::size_t k0 = 0; k0 < kCentroidLanes; k0 += kCentroids) {
      V sums[kCentroids][kVectors];
#pragma GCC unroll 8
      for (std::size_t k = 0; k < kCentroids; ++k) {
#pragma GCC unroll 4
        for (std::size_t v = 0; v < kVectors; ++v) sums[k][v] = norms[k0 + k] - V{};
      }
      for (std::size_t j = 0; j < d; ++j) {
        const float* x = lanes_ + j * kBlocksAtOnce + part;
#pragma GCC unroll 8
        for (std::size_t k = 0; k < kCentroids; ++k) {
          const float c = tile[j * kCentroidLanes + k0 + k];
#pragma GCC unroll 4
          for (std::size_t v = 0; v < kVectors; ++v) {
            sums[k][v] -= load<V>(x + v * kLanes) * c;
          }
        }
      }
#pragma GCC unroll 4
      for (std::size_t v = 0; v < kVectors; ++v) {
        V smallest = sums[0][v];
#pragma GCC unroll 8
        for (std::size_t k = 1; k < kCentroids; ++k) smallest = min(smallest, sums[k][v]);
        least[v] = k0 == 0 ? smallest : min(least[v], smallest);
      }
    }
  }

  // Another tile whose best score is more than this above `best` is worse for sure.
  V margin(std::size_t at, V best) const {
    V squares = {};
    for (std::size_t j = 0; j < tiles_.d; ++j) {
      const V x = load<V>(lanes_ + j * kBlocksAtOnce + at);
      squares += x * x;
    }
    const V squared_distance = max(V{}, 2 * best + squares);
    const V terms = 2.5f * squares + 1.5f * squared_distance;
    return terms * (static_cast<float>(tiles_.d + 4) * 0x1p-22f);
  }

  // For each l: the nearest centroid to rows[l] in tile tiles[l].
  void look_into(const float* const* rows, const std::uint32_t* tiles, Best* best) const {
    const std::size_t d = tiles_.d;
    V sums[kLooks][kPerTile];
    const float* tile[kLooks];
#pragma GCC unroll 4
    for (std::size_t l = 0; l < kLooks; ++l) {
      tile[l] = tiles_.centroids + tiles[l] * d * kCentroidLanes;
#pragma GCC unroll 2
      for (std::size_t v = 0; v < kPerTile; ++v) {
        sums[l][v] = load<V>(tiles_.biases + tiles[l] * kCentroidLanes + v * kLanes);
      }
    }
    for (std::size_t j = 0; j < d; ++j) {
#pragma GCC unroll 4
      for (std::size_t l = 0; l < kLooks; ++l) {
        const float x = rows[l][j];
#pragma GCC unroll 2
        for (std::size_t v = 0; v < kPerTile; ++v) {
          const V difference = x - load<V>(tile[l] + j * kCentroidLanes + v * kLanes);
          sums[l][v] += difference * difference;
        }
      }
    }
#pragma GCC unroll 4
    for (std::size_t l = 0; l < kLooks; ++l) {
      V least = sums[l][0];
      for (std::size_t v = 1; v < kPerTile; ++v) least = min(least, sums[l][v]);
      const float distance = I::smallest(least);
      std::uint32_t equal = 0;
      for (std::size_t v = 0; v < kPerTile; ++v) {
        equal |= I::equal_mask(sums[l][v], V{} + distance) << (v * kLanes);
      }
      best[l] = {distance,
                 tiles[l] * kCentroidLanes + static_cast<std::size_t>(std::countr_zero(equal))};
    }
  }

  // The nearest centroid of all tiles.
  Best look_again(const float* row) const {
    const float* rows[kLooks];
    for (const float*& r : rows) r = row;
    Best best{kFarAway * kFarAway, 0};
    for (std::size_t t = 0; t < n_tiles_; t += kLooks) {
      std::uint32_t tiles[kLooks];
      for (std::size_t l = 0; l < kLooks; ++l) {
        tiles[l] = static_cast<std::uint32_t>(t + l < n_tiles_ ? t + l : n_tiles_ - 1);
      }
      Best found[kLooks];
      look_into(rows, tiles, found);
      for (const Best& other : found) {
        if (other.distance < best.distance) best = other;
      }
    }
    return best;
  }

  const CentroidTiles& tiles_;
  std::size_t n_tiles_;
  float* lanes_;
  const float* rows_[kBlocksAtOnce];
  alignas(64) std::uint32_t best_tile_[kBlocksAtOnce];
  std::uint32_t clear_ = 0;  // bit i: the best tile of block i is the best for sure
};

}  // namespace pqw::kernels
