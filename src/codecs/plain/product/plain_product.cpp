// y = x Wᵀ of plain weights: tiles of W, decoded if they are not floats already, and rows of x side
// by side in vectors, or row by row where there are few of x.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "codecs/active_kernels.h"
#include "codecs/plain/product/packed_product.h"
#include "codecs/product/panel.h"
#include "codecs/product/scratch.h"
#include "core/parallel.h"
#include "pqw/codecs/plain.h"
#include "pqw/codecs/product.h"
#include "pqw/core/convert.h"

namespace pqw {

namespace {

using kernels::kTileRows;

constexpr std::size_t kColumnsAtOnce = 512;  // of a tile: its floats stay in the L2 cache
constexpr std::size_t kFloatsAtOnce = 4096;  // of W for few rows of x: they stay in the L1 cache
constexpr std::size_t kFewRows = 4;          // of x: too few to fill vectors with

// Rows of W as floats, `stride` apart.
struct Rows {
  const float* values;
  std::size_t stride;
};

// Rows first .. first+n_rows-1, columns column .. column+n-1: of floats where they lie, of other
// types decoded into `room`, which has n_rows * n values.
Rows decode(const PlainWeight& weight, std::size_t first, std::size_t n_rows, std::size_t column,
            std::size_t n, float* room) {
  const std::size_t cols = weight.matrix().cols, width = size_in_bytes(weight.dtype);
  const std::byte* from = weight.bytes.data() + (first * cols + column) * width;
  if (weight.dtype == DType::kF32 && reinterpret_cast<std::uintptr_t>(from) % alignof(float) == 0) {
    return {reinterpret_cast<const float*>(from), cols};
  }
  for (std::size_t r = 0; r < n_rows; ++r) {
    to_float({from + r * cols * width, n * width}, weight.dtype, {room + r * n, n});
  }
  return {room, n};
}

// Rows of x that stand side by side. Layout: panel[cols][n_vectors * lanes].
struct Panel {
  const float* values;
  std::size_t n_vectors;
  std::size_t first_row;
  std::size_t n_rows;
};

void multiply_panel(const kernels::ProductKernels& kernels, const PlainWeight& weight,
                    std::size_t first, const Panel& panel, MutableMatrix y,
                    const Workers& workers) {
  const std::size_t cols = weight.matrix().cols;
  const std::size_t n_lanes = panel.n_vectors * kernels.lanes;
  const std::size_t n_tiles = (y.cols() + kTileRows - 1) / kTileRows;
  const std::size_t tile_floats = kTileRows * kColumnsAtOnce;
  const Scratch<float> tiles(workers.count() * tile_floats);
  const Scratch<float> sums(workers.count() * kTileRows * n_lanes);
  workers.for_each(n_tiles, [&](std::size_t i, std::size_t worker) {
    float* tile_sums = sums.data() + worker * kTileRows * n_lanes;
    const std::size_t n_rows = std::min(kTileRows, y.cols() - i * kTileRows);
    for (std::size_t column = 0; column == 0 || column < cols; column += kColumnsAtOnce) {
      const std::size_t n = std::min(kColumnsAtOnce, cols - column);
      const Rows rows = decode(weight, first + i * kTileRows, n_rows, column, n,
                               tiles.data() + worker * tile_floats);
      kernels.multiply_decoded(kOwnRows.data(), n_rows, n, &rows.values, rows.stride,
                               panel.values + column * n_lanes, panel.n_vectors, tile_sums, n_lanes,
                               column == 0);
    }
    write_tile(tile_sums, i, 0, panel.first_row, panel.n_rows, n_lanes, y);
  });
}

void multiply_few(const kernels::ContractionKernels& kernels, const PlainWeight& weight,
                  std::size_t first, ConstMatrix x, MutableMatrix y, const Workers& workers) {
  const std::size_t cols = x.cols();
  const std::size_t rows_at_once =
      std::max<std::size_t>(1, kFloatsAtOnce / std::max<std::size_t>(1, cols));
  const std::size_t n_runs = (y.cols() + rows_at_once - 1) / rows_at_once;
  const Scratch<float> floats(workers.count() * rows_at_once * cols);
  workers.for_each(n_runs, [&](std::size_t run, std::size_t worker) {
    const std::size_t r = run * rows_at_once;
    const std::size_t n_rows = std::min(rows_at_once, y.cols() - r);
    const Rows rows =
        decode(weight, first + r, n_rows, 0, cols, floats.data() + worker * rows_at_once * cols);
    for (std::size_t b = 0; b < x.rows(); ++b) {
      kernels.product(rows.values, cols, n_rows, cols, x.row(b).data(), 1, y.row(b).data() + r);
    }
  });
}

// The weight as it is; its values become floats as they are used.
class PlainProduct : public Product {
 public:
  // Errors: kInvalidArgument for a rank below 2 or a type that is not a float type.
  explicit PlainProduct(PlainWeight weight) : Product(weight.matrix()), weight_(std::move(weight)) {
    PlainCodec::decode_rows(weight_, 0, {nullptr, 0, cols()});  // checks the type
  }

  void decode_row(std::size_t row, std::span<float> out) const override {
    PlainCodec::decode_rows(weight_, row, {out.data(), 1, out.size()});
  }
  std::string describe(std::size_t) const override { return "dense product"; }

 private:
  void multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const override;

  PlainWeight weight_;
};

void PlainProduct::multiply_once(std::size_t first, ConstMatrix x, MutableMatrix y) const {
  const kernels::ProductKernels& kernels = *active_kernels().product;
  const std::size_t most_rows = kernels.most_vectors * kernels.lanes;
  const Workers workers(x.rows() * x.cols() * y.cols(), 1);
  if (x.rows() <= kFewRows) {
    return multiply_few(*active_kernels().contraction, weight_, first, x, y, workers);
  }
  for (std::size_t row = 0; row < x.rows(); row += most_rows) {
    const std::size_t n = std::min(most_rows, x.rows() - row);
    const std::size_t n_vectors = (n + kernels.lanes - 1) / kernels.lanes;
    const Scratch<float> panel(x.cols() * n_vectors * kernels.lanes);
    transpose(x, row, n, n_vectors * kernels.lanes, panel.data());
    multiply_panel(kernels, weight_, first, {panel.data(), n_vectors, row, n}, y, workers);
  }
}

}  // namespace

std::unique_ptr<const Product> PlainCodec::make_product(PlainWeight weight,
                                                        const ServeOptions& options) {
  if (options.memory == ServeMemory::kFastest && options.layout == ServeLayout::kProducts) {
    return std::make_unique<PackedProduct>(weight);
  }
  return std::make_unique<PlainProduct>(std::move(weight));
}

}  // namespace pqw
