// Patches of images: the pixels that one output of a convolution sees.
#include "serve/patches.h"

#include <algorithm>
#include <cstring>

#include "core/parallel.h"

namespace pqw {
namespace {

constexpr double kCopyCost = 8;    // of a float, mostly alone
constexpr std::size_t kTile = 16;  // products that are transposed at a time: a cache line each way

// n adjacent floats; for the usual kernels without a call of memcpy.
void copy_few(const float* from, std::size_t n, float* to) {
  switch (n) {
    case 1:
      *to = *from;
      return;
    case 3:
      std::memcpy(to, from, 3 * sizeof(float));
      return;
    case 5:
      std::memcpy(to, from, 5 * sizeof(float));
      return;
    default:
      std::memcpy(to, from, n * sizeof(float));
  }
}

// n floats of a row of `width` pixels from `first` on, every `step`th; zeros outside of the row.
// `first` may lie left of the row: it is unsigned, and wraps round.
void copy_taps(const float* row, std::size_t width, std::size_t first, std::size_t step,
               std::size_t n, float* to) {
  if (step == 1 && first < width && n <= width - first) return copy_few(row + first, n, to);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t x = first + i * step;
    to[i] = x < width ? row[x] : 0.0f;
  }
}

void gather_patch(const ConvGeometry& g, const float* input, std::size_t pixel, float* to) {
  const std::size_t top = pixel / g.output.width * g.options.stride[0] - g.options.padding[0];
  const std::size_t left = pixel % g.output.width * g.options.stride[1] - g.options.padding[1];
  const auto [kernel_h, kernel_w] = g.kernel;
  for (std::size_t c = 0; c < g.inputs_per_group(); ++c) {
    const float* plane = input + c * g.input.height * g.input.width;
    for (std::size_t ky = 0; ky < kernel_h; ++ky, to += kernel_w) {
      const std::size_t y = top + ky * g.options.dilation[0];  // above the image: wraps round
      if (y < g.input.height) {
        copy_taps(plane + y * g.input.width, g.input.width, left, g.options.dilation[1], kernel_w,
                  to);
      } else {
        std::fill_n(to, kernel_w, 0.0f);
      }
    }
  }
}

}  // namespace

void gather_patches(const ConvGeometry& geometry, const float* x, std::size_t group,
                    std::size_t first, MutableMatrix patches) {
  const ConvGeometry& g = geometry;
  const std::size_t plane = g.input.height * g.input.width;
  const Workers workers(patches.rows() * patches.cols(), kCopyCost);
  workers.for_each(patches.rows(), [&](std::size_t i) {
    const std::size_t image = (first + i) / g.n_pixels();
    const float* input = x + (image * g.input.channels + group * g.inputs_per_group()) * plane;
    gather_patch(g, input, (first + i) % g.n_pixels(), patches.row(i).data());
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
        float* to = y + (image * g.output.channels + channel) * g.n_pixels() + pixel;
        for (std::size_t j = 0; j < n; ++j) to[j] = from[j * products.stride()] + added;
      }
    }
  });
}

}  // namespace pqw
