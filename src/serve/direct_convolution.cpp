// Convolution from decoded weights: a row of the output gathers the rows of the input that it sees.
#include "serve/direct_convolution.h"

#include <algorithm>

#include "core/parallel.h"
#include "pqw/serve/convolution.h"

namespace pqw {
namespace {

struct Range {
  std::size_t begin, end;
};

// The outputs whose tap falls on the input and not on the padding.
Range outputs_inside(const ConvAxis& axis, std::size_t tap) {
  const std::size_t offset = tap * axis.dilation;
  const auto first_at_least = [&](std::size_t input) {  // the first output at or after that input
    return input <= offset ? 0 : (input - offset + axis.stride - 1) / axis.stride;
  };
  const std::size_t end = std::min(axis.output, first_at_least(axis.input + axis.padding));
  return {std::min(end, first_at_least(axis.padding)), end};
}

// The pixel of the input that a tap of an output sees. REQUIRES: the output is in outputs_inside.
std::size_t input_of(const ConvAxis& axis, std::size_t output, std::size_t tap) {
  return output * axis.stride + tap * axis.dilation - axis.padding;
}

// Adds one tap of the kernel to a channel of the output.
void add_tap(const ConvGeometry& g, const Size3d& tap, float weight, const float* input,
             float* output) {
  const auto& [depth, height, width] = g.axes;
  const Range slices = outputs_inside(depth, tap[0]);
  const Range rows = outputs_inside(height, tap[1]);
  const Range columns = outputs_inside(width, tap[2]);
  if (columns.begin == columns.end) return;
  const std::size_t n = columns.end - columns.begin;
  const std::size_t x = input_of(width, columns.begin, tap[2]);
  for (std::size_t slice = slices.begin; slice < slices.end; ++slice) {
    const std::size_t z = input_of(depth, slice, tap[0]);
    for (std::size_t row = rows.begin; row < rows.end; ++row) {
      const std::size_t y = input_of(height, row, tap[1]);
      const float* from = input + (z * height.input + y) * width.input + x;
      float* to = output + (slice * height.output + row) * width.output + columns.begin;
      if (width.stride == 1) {
        for (std::size_t i = 0; i < n; ++i) to[i] += weight * from[i];
      } else {
        for (std::size_t i = 0; i < n; ++i) to[i] += weight * from[i * width.stride];
      }
    }
  }
}

// Adds a channel of the input, seen through its taps of the kernel: [kd][kh][kw].
void add_channel(const ConvGeometry& g, const float* taps, const float* input, float* output) {
  for (std::size_t kz = 0; kz < g.axes[0].kernel; ++kz) {
    for (std::size_t ky = 0; ky < g.axes[1].kernel; ++ky) {
      for (std::size_t kx = 0; kx < g.axes[2].kernel; ++kx) {
        add_tap(g, {kz, ky, kx}, *taps++, input, output);
      }
    }
  }
}

}  // namespace

void convolve_directly(const ConvGeometry& geometry, ConstMatrix weight,
                       std::span<const float> bias, const float* x, float* y) {
  const ConvGeometry& g = geometry;
  const std::size_t n_channels = g.batch * g.n_outputs;  // of all outputs
  Workers(g.n_multiplications(), 1).for_each(n_channels, [&](std::size_t i) {
    const std::size_t channel = i % g.n_outputs;
    const std::size_t first_input =
        i / g.n_outputs * g.n_inputs + channel / g.outputs_per_group() * g.inputs_per_group();
    float* output = y + i * g.n_pixels();
    std::fill_n(output, g.n_pixels(), bias.empty() ? 0.0f : bias[channel]);
    for (std::size_t c = 0; c < g.inputs_per_group(); ++c) {
      add_channel(g, weight.row(channel).data() + c * g.n_taps(),
                  x + (first_input + c) * g.n_input_pixels(), output);
    }
  });
}

}  // namespace pqw
