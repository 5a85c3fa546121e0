// Patches of inputs: the pixels that one output of a convolution sees.
#include "serve/patches.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"

namespace pqw {
namespace {

constexpr double kCopyCost = 8;    // of a float, mostly alone
constexpr std::size_t kTile = 16;  // products that are transposed at a time: a cache line each way

// Where a row of the kernel finds its taps in each channel, and where they go in the patch.
struct TapRow {
  const float* from;  // the row of the first channel
  std::size_t from_step;
  float* to;
  std::size_t to_step;
  std::size_t n_channels;
};

template <std::size_t n>
void copy_adjacent(const TapRow& row) {
  for (std::size_t c = 0; c < row.n_channels; ++c) {
    std::memcpy(row.to + c * row.to_step, row.from + c * row.from_step, n * sizeof(float));
  }
}

// For the usual kernels without calls of memcpy.
void copy_adjacent(const TapRow& row, std::size_t n) {
  switch (n) {
    case 1:
      return copy_adjacent<1>(row);
    case 3:
      return copy_adjacent<3>(row);
    case 5:
      return copy_adjacent<5>(row);
    default:
      for (std::size_t c = 0; c < row.n_channels; ++c) {
        std::copy_n(row.from + c * row.from_step, n, row.to + c * row.to_step);
      }
  }
}

// The pixels from `first` on that the taps of an axis see; zeros outside of the row. `first` may
// lie left of the row: it is unsigned, and wraps round.
void copy_taps(TapRow row, const ConvAxis& axis, std::size_t first) {
  if (axis.dilation == 1 && first < axis.input && axis.kernel <= axis.input - first) {
    row.from += first;
    return copy_adjacent(row, axis.kernel);
  }
  for (std::size_t i = 0; i < axis.kernel; ++i) {
    const std::size_t x = first + i * axis.dilation;
    const bool inside = x < axis.input;
    for (std::size_t c = 0; c < row.n_channels; ++c) {
      row.to[c * row.to_step + i] = inside ? row.from[c * row.from_step + x] : 0.0f;
    }
  }
}

void fill_zeros(const TapRow& row, std::size_t n) {
  for (std::size_t c = 0; c < row.n_channels; ++c) std::fill_n(row.to + c * row.to_step, n, 0.0f);
}

void gather_patch(const ConvGeometry& g, const float* input, std::size_t pixel, float* to) {
  const auto& [depth, height, width] = g.axes;
  const std::size_t output_row = pixel / width.output;
  const std::size_t front = output_row / height.output * depth.stride - depth.padding;
  const std::size_t top = output_row % height.output * height.stride - height.padding;
  const std::size_t left = pixel % width.output * width.stride - width.padding;
  TapRow row{input, g.n_input_pixels(), to, g.n_taps(), g.inputs_per_group()};
  for (std::size_t kz = 0; kz < depth.kernel; ++kz) {
    const std::size_t z = front + kz * depth.dilation;  // before the input: wraps round
    for (std::size_t ky = 0; ky < height.kernel; ++ky, row.to += width.kernel) {
      const std::size_t y = top + ky * height.dilation;
      if (z < depth.input && y < height.input) {
        row.from = input + (z * height.input + y) * width.input;
        copy_taps(row, width, left);
      } else {
        fill_zeros(row, width.kernel);
      }
    }
  }
}

// The pixel of an axis that a tap of a transposed convolution sees; axis.input if it sees none.
std::size_t transposed_input(const ConvAxis& axis, std::size_t output, std::size_t tap) {
  const std::size_t from = output + axis.padding, reach = tap * axis.dilation;
  if (reach > from || (from - reach) % axis.stride != 0) return axis.input;
  return std::min(axis.input, (from - reach) / axis.stride);
}

void gather_transposed_patch(const ConvGeometry& g, const float* input, std::size_t pixel,
                             float* to) {
  const auto& [depth, height, width] = g.axes;
  const std::size_t output_row = pixel / width.output;
  std::fill_n(to, g.patch_size(), 0.0f);
  for (std::size_t tap = 0; tap < g.n_taps(); ++tap) {
    const std::size_t kernel_row = tap / width.kernel;
    const std::size_t z =
        transposed_input(depth, output_row / height.output, kernel_row / height.kernel);
    const std::size_t y =
        transposed_input(height, output_row % height.output, kernel_row % height.kernel);
    const std::size_t x = transposed_input(width, pixel % width.output, tap % width.kernel);
    if (z == depth.input || y == height.input || x == width.input) continue;
    const float* from = input + (z * height.input + y) * width.input + x;
    copy_adjacent<1>({from, g.n_input_pixels(), to + tap, g.n_taps(), g.inputs_per_group()});
  }
}

}  // namespace

void gather_patches(const ConvGeometry& geometry, const float* x, std::size_t group,
                    std::size_t first, MutableMatrix patches) {
  const ConvGeometry& g = geometry;
  const Workers workers(patches.rows() * patches.cols(), kCopyCost);
  workers.for_each(patches.rows(), [&](std::size_t i) {
    const std::size_t image = (first + i) / g.n_pixels();
    const std::size_t channel = image * g.n_inputs + group * g.inputs_per_group();
    const float* input = x + channel * g.n_input_pixels();
    const auto gather = g.transposed ? gather_transposed_patch : gather_patch;
    gather(g, input, (first + i) % g.n_pixels(), patches.row(i).data());
  });
}

void scatter_products(const ConvGeometry& geometry, ConstMatrix products,
                      std::span<const float> bias, std::size_t group, std::size_t first, float* y) {
  const ConvGeometry& g = geometry;
  const std::size_t n_tiles = (products.cols() + kTile - 1) / kTile;
  const Workers workers(products.rows() * products.cols(), kCopyCost);
  workers.for_each(n_tiles, [&](std::size_t tile) {
    const std::size_t end = std::min(products.cols(), (tile + 1) * kTile);
    std::size_t n = 0;  // pixels of one image
    for (std::size_t i = 0; i < products.rows(); i += n) {
      const std::size_t image = (first + i) / g.n_pixels();
      const std::size_t pixel = (first + i) % g.n_pixels();
      n = std::min({kTile, products.rows() - i, g.n_pixels() - pixel});
      for (std::size_t o = tile * kTile; o < end; ++o) {
        const std::size_t channel = group * g.outputs_per_group() + o;
        const float added = bias.empty() ? 0.0f : bias[channel];
        const float* from = products.data() + i * products.stride() + o;
        float* to = y + (image * g.n_outputs + channel) * g.n_pixels() + pixel;
        for (std::size_t j = 0; j < n; ++j) to[j] = from[j * products.stride()] + added;
      }
    }
  });
}

}  // namespace pqw
