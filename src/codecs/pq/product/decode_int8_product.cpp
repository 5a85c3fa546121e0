// y = x Wᵀ from codes, the bytes of every centroid in the place of its codes.
#include "codecs/pq/product/decode_int8_product.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "codecs/float_range.h"
#include "codecs/product/activations.h"
#include "codecs/product/scratch.h"
#include "core/parallel.h"

namespace pqw {

using kernels::kPanelColumns;
using kernels::kPanelRows;
using kernels::kTileRows;

namespace {

constexpr std::size_t kColumnsAtOnce = 512;  // about as many: a tile of bytes fills an L1 cache
constexpr std::size_t kRowsAtOnce = 48;      // of x, whose sums of a tile stay in the L2 cache
constexpr std::size_t kTilePanels = kTileRows / kPanelRows;
constexpr int kMostValue = 127;

// The number of weights that each value of the codebooks replaces.
std::vector<double> uses_of(const PqWeight& weight) {
  const std::size_t d = weight.block_size, n = weight.n_centroids;
  std::vector<double> uses(weight.codebooks.size());
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  for (std::size_t p = 0; p < weight.positions(); ++p) {
    std::vector<std::size_t> counts(n);
    for (const std::uint16_t code : weight.codes_of(p)) ++counts[code];
    const std::size_t width = std::min(d, weight.cols() - p * d);
    for (std::size_t k = 0; k < n; ++k) {
      double* of_centroid = uses.data() + (groups[p] * n + k) * d;
      for (std::size_t j = 0; j < width; ++j) of_centroid[j] += static_cast<double>(counts[k]);
    }
  }
  return uses;
}

double rounded(double value, double unit) {
  return std::clamp(std::nearbyint(value / unit), -double{kMostValue}, double{kMostValue});
}

double squared_error(std::span<const float> values, std::span<const double> uses, double unit) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    sum += uses[i] * std::pow(values[i] - unit * rounded(values[i], unit), 2);
  }
  return sum;
}

// The unit of least error: values above 127 units are cut where few weights have them.
double best_unit(std::span<const float> values, std::span<const double> uses) {
  constexpr double kStep = 0.94;
  const double whole = static_cast<double>(largest_magnitude(values)) / kMostValue;
  double best = whole, least = squared_error(values, uses, whole);
  for (double unit = whole * kStep; unit > whole / 4; unit *= kStep) {
    const double error = squared_error(values, uses, unit);
    if (error < least) {
      least = error;
      best = unit;
    }
  }
  return best;
}

}  // namespace

DecodeInt8Product::DecodeInt8Product(const PqWeight& weight, const CodeTiles& tiles,
                                     const kernels::Table& kernels, double most)
    : tiles_(tiles),
      kernels_(kernels),
      block_size_(weight.block_size),
      n_columns_(weight.cols()),
      most_(most),
      low_codes_(weight.n_centroids <= 128) {
  assert(holds(weight));
  const std::size_t d = block_size_, n = weight.n_centroids;
  const std::vector<double> uses = uses_of(weight);
  unit_ = best_unit(weight.codebooks, uses);
  double energy = 0;
  for (std::size_t i = 0; i < uses.size(); ++i)
    energy += uses[i] * std::pow(weight.codebooks[i], 2);
  squared_error_ = energy > 0 ? squared_error(weight.codebooks, uses, unit_) / energy : 0;
  const bool is_large = tiles.width() == CodeWidth::kLarge;
  const std::size_t group_bytes = (is_large ? n : kernels::kWideCentroids) * d;
  codebooks_.resize(weight.codebooks.size() / (n * d) * group_bytes);
  planes_.resize(is_large ? 0 : codebooks_.size());
  for (std::size_t i = 0; i < weight.codebooks.size() && unit_ > 0; ++i) {
    const std::size_t group = i / (n * d) * group_bytes, k = i / d % n, j = i % d;
    const auto value = static_cast<std::int8_t>(rounded(weight.codebooks[i], unit_));
    codebooks_[group + k * d + j] = value;
    if (!is_large) planes_[group + j * kernels::kWideCentroids + k] = value;
  }
  for (const std::size_t group : group_of_positions(weight, tiles.n_padded_positions())) {
    centroids_of_.push_back(codebooks_.data() + group * group_bytes);
    planes_of_.push_back(is_large ? nullptr : planes_.data() + group * group_bytes);
  }
  add_row_sums(weight);
}

void DecodeInt8Product::add_row_sums(const PqWeight& weight) {
  row_sums_.resize(tiles_.n_tiles() * kTileRows);
  std::vector<std::int32_t> sums(weight.n_centroids);
  for (std::size_t p = 0; p < weight.positions(); ++p) {
    const std::size_t width = std::min(block_size_, n_columns_ - p * block_size_);
    for (std::size_t k = 0; k < sums.size(); ++k) {
      const std::int8_t* centroid = centroids_of_[p] + k * block_size_;
      sums[k] = std::accumulate(centroid, centroid + width, std::int32_t{0});
    }
    const std::span<const std::uint16_t> codes = weight.codes_of(p);
    for (std::size_t r = 0; r < codes.size(); ++r) row_sums_[r] += sums[codes[r]];
  }
}

std::size_t DecodeInt8Product::positions_at_once() const {
  const std::size_t step = tiles_.positions_per_quad();
  const std::size_t wanted = std::max<std::size_t>(1, kColumnsAtOnce / block_size_ / step) * step;
  return std::min(wanted, tiles_.n_padded_positions());
}

// `codes` has room for the codes of n positions, of two bytes each.
void DecodeInt8Product::decode(std::size_t tile, std::size_t first, std::size_t n,
                               std::uint16_t* codes, std::int8_t* panels,
                               std::size_t stride) const {
  auto* bytes = reinterpret_cast<std::uint8_t*>(codes);
  const kernels::Int8DecodeOperands operands{.codes = bytes,
                                             .n_columns = n * block_size_,
                                             .block_size = block_size_,
                                             .centroids = centroids_of_.data() + first,
                                             .planes = planes_of_.data() + first,
                                             .low_codes = low_codes_};
  if (tiles_.width() == CodeWidth::kLarge) {
    tiles_.unpack_positions(tile, first, n, codes);
    kernels::int8_decode_words(codes, operands, panels, stride);
  } else {
    tiles_.unpack_bytes(tile, first, n, bytes);
    kernels_.int8.decode(operands, panels, stride);
  }
}

// One product: quantized inputs and where its results go.
class DecodeInt8Product::Call {
 public:
  Call(const DecodeInt8Product& product, std::size_t first, ConstMatrix x, MutableMatrix y)
      : product_(product),
        first_(first),
        x_(quantize_activations(x, ActivationRange::kRow, 1)),
        y_(y) {
    for (std::size_t i = 0; i < x.rows(); ++i) {
      if (!is_exact_enough(x_.rows[i])) left_.push_back(i);
    }
  }

  const std::vector<std::size_t>& left() const { return left_; }

  // A tile with all rows of x.
  void run(std::size_t tile, std::uint16_t* codes, std::int8_t* panels, std::int32_t* sums) const {
    for (std::size_t i = 0; i < y_.rows(); i += kMostRows) {
      const std::size_t n = std::min(kMostRows, y_.rows() - i);
      multiply(tile, i, n, codes, panels, sums);
      finish(tile, i, n, sums);
    }
  }

 private:
  bool is_exact_enough(const ActivationScale& scale) const {
    if (!scale.finite) return false;
    if (scale.squares == 0) return true;
    if (!std::isnormal(static_cast<float>(scale.scale * product_.unit_)) && product_.unit_ > 0)
      return false;
    const double rounding =
        scale.scale * scale.scale / 12 * static_cast<double>(product_.n_columns_);
    return rounding / scale.squares + product_.squared_error_ <= product_.most_ * product_.most_;
  }

  void multiply(std::size_t tile, std::size_t first_x, std::size_t n_x, std::uint16_t* codes,
                std::int8_t* panels, std::int32_t* sums) const {
    const std::size_t d = product_.block_size_;
    const std::size_t n_columns =
        (product_.n_columns_ + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
    std::fill_n(sums, n_x * kTileRows, 0);
    for (std::size_t p = 0; p * d < product_.n_columns_; p += product_.positions_at_once()) {
      const std::size_t n =
          std::min(product_.positions_at_once(), product_.tiles_.n_padded_positions() - p);
      const std::size_t stride = product_.positions_at_once() * d * kPanelRows;
      product_.decode(tile, p, n, codes, panels, stride);
      for (std::size_t i = 0; i < n_x; i += kRowsAtOnce) {
        product_.kernels_.int8.multiply({.x = x_.values.data() + (first_x + i) * x_.stride + p * d,
                                         .n_x = std::min(kRowsAtOnce, n_x - i),
                                         .x_stride = x_.stride,
                                         .panels = panels,
                                         .n_panels = kTilePanels,
                                         .panel_stride = stride,
                                         .n_columns = std::min(n * d, n_columns - p * d)},
                                        sums + i * kTileRows);
      }
    }
  }

  void finish(std::size_t tile, std::size_t first_x, std::size_t n_x,
              const std::int32_t* sums) const {
    const std::size_t from = std::max(tile * kTileRows, first_);
    const std::size_t to = std::min((tile + 1) * kTileRows, first_ + y_.cols());
    const std::int32_t* row_sums = product_.row_sums_.data() + from;
    for (std::size_t i = 0; i < n_x; ++i) {
      const ActivationScale& scale = x_.rows[first_x + i];
      const auto unit = static_cast<float>(scale.scale * product_.unit_);
      const std::int32_t zero_point = scale.zero_point;
      const std::int32_t* of_row = sums + i * kTileRows + (from - tile * kTileRows);
      float* out = y_.row(first_x + i).data() + (from - first_);
      product_.kernels_.int8.rows->to_floats(of_row, row_sums, to - from, zero_point, unit, out);
    }
  }

  const DecodeInt8Product& product_;
  std::size_t first_;
  QuantizedActivations x_;
  MutableMatrix y_;
  std::vector<std::size_t> left_;
};

std::vector<std::size_t> DecodeInt8Product::multiply(std::size_t first, ConstMatrix x,
                                                     MutableMatrix y, bool parallel) const {
  const Call call(*this, first, x, y);
  const std::size_t first_tile = first / kTileRows;
  const std::size_t n_tiles = (first + y.cols() + kTileRows - 1) / kTileRows - first_tile;
  const Workers workers(parallel);
  const std::size_t codes_size = positions_at_once() * kTileRows;
  const std::size_t panels_size = codes_size * block_size_;
  const std::size_t sums_size = std::min(kMostRows, x.rows()) * kTileRows;
  const Scratch<std::uint16_t> codes(workers.count() * codes_size);
  const Scratch<std::int8_t> panels(workers.count() * panels_size);
  const Scratch<std::int32_t> sums(workers.count() * sums_size);
  workers.for_each(n_tiles, [&](std::size_t i, std::size_t me) {
    call.run(first_tile + i, codes.data() + me * codes_size, panels.data() + me * panels_size,
             sums.data() + me * sums_size);
  });
  return call.left();
}

}  // namespace pqw
