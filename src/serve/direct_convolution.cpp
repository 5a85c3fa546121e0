// Convolution from decoded weights: a row of the output gathers the rows of the input that it sees.
#include "serve/direct_convolution.h"

#include <algorithm>

#include "core/parallel.h"

namespace pqw {
namespace {

struct Range {
  std::size_t begin, end;
};

// The outputs whose tap, at `offset` = tap * dilation, falls on one of the n inputs and not on the
// padding.
Range outputs_inside(std::size_t offset, std::size_t padding, std::size_t stride, std::size_t n,
                     std::size_t n_outputs) {
  const auto first_at_least = [&](std::size_t input) {  // the first output at or after that input
    return input <= offset ? 0 : (input - offset + stride - 1) / stride;
  };
  const std::size_t end = std::min(n_outputs, first_at_least(n + padding));
  return {std::min(end, first_at_least(padding)), end};
}

// Adds one tap of the kernel to a plane of the output.
void add_tap(const ConvGeometry& g, std::size_t ky, std::size_t kx, float weight,
             const float* input, float* output) {
  const auto [stride_h, stride_w] = g.options.stride;
  const std::size_t down = ky * g.options.dilation[0];
  const std::size_t right = kx * g.options.dilation[1];
  const Range rows =
      outputs_inside(down, g.options.padding[0], stride_h, g.input.height, g.output.height);
  const Range columns =
      outputs_inside(right, g.options.padding[1], stride_w, g.input.width, g.output.width);
  if (columns.begin == columns.end) return;
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    const std::size_t y = row * stride_h + down - g.options.padding[0];
    const std::size_t x = columns.begin * stride_w + right - g.options.padding[1];
    const float* from = input + y * g.input.width + x;
    float* to = output + row * g.output.width + columns.begin;
    const std::size_t n = columns.end - columns.begin;
    if (stride_w == 1) {
      for (std::size_t i = 0; i < n; ++i) to[i] += weight * from[i];
    } else {
      for (std::size_t i = 0; i < n; ++i) to[i] += weight * from[i * stride_w];
    }
  }
}

}  // namespace

void convolve_directly(const ConvGeometry& geometry, ConstMatrix weight,
                       std::span<const float> bias, const float* x, float* y) {
  const ConvGeometry& g = geometry;
  const std::size_t input_pixels = g.input.height * g.input.width;
  const std::size_t n_planes = g.output.batch * g.output.channels;
  Workers(g.n_multiplications(), 1).for_each(n_planes, [&](std::size_t plane) {
    const std::size_t channel = plane % g.output.channels;
    const std::size_t first_input = plane / g.output.channels * g.input.channels +
                                    channel / g.outputs_per_group() * g.inputs_per_group();
    float* output = y + plane * g.n_pixels();
    std::fill_n(output, g.n_pixels(), bias.empty() ? 0.0f : bias[channel]);
    const float* tap = weight.row(channel).data();
    for (std::size_t c = 0; c < g.inputs_per_group(); ++c) {
      const float* input = x + (first_input + c) * input_pixels;
      for (std::size_t ky = 0; ky < g.kernel[0]; ++ky) {
        for (std::size_t kx = 0; kx < g.kernel[1]; ++kx) add_tap(g, ky, kx, *tap++, input, output);
      }
    }
  });
}

}  // namespace pqw
