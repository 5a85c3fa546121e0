// The definition of a convolution, in double.
#pragma once

#include <span>
#include <vector>

#include "pqw/serve/convolution.h"

namespace pqw::test {

// weight: [output.channels][input.channels / groups][kernel], row-major.
inline std::vector<double> convolution(std::span<const float> x, const ImageShape& input,
                                       std::span<const float> weight, Size2d kernel,
                                       std::span<const float> bias, const Conv2dOptions& options,
                                       const ImageShape& output) {
  const std::size_t in_per_group = input.channels / options.groups;
  const std::size_t out_per_group = output.channels / options.groups;
  // The pixel of plane (n, channel), zero on the padding. Coordinates count from the padding's
  // edge.
  const auto pixel = [&](std::size_t n, std::size_t channel, std::size_t y, std::size_t x_at) {
    if (y < options.padding[0] || y >= options.padding[0] + input.height) return 0.0;
    if (x_at < options.padding[1] || x_at >= options.padding[1] + input.width) return 0.0;
    const std::size_t plane = n * input.channels + channel;
    const std::size_t row = plane * input.height + y - options.padding[0];
    return static_cast<double>(x[row * input.width + x_at - options.padding[1]]);
  };
  std::vector<double> result;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const std::size_t ox = i % output.width, oy = i / output.width % output.height;
    const std::size_t o = i / (output.width * output.height) % output.channels;
    const std::size_t n = i / (output.width * output.height * output.channels);
    double sum = bias.empty() ? 0 : bias[o];
    for (std::size_t c = 0; c < in_per_group; ++c) {
      for (std::size_t ky = 0; ky < kernel[0]; ++ky) {
        for (std::size_t kx = 0; kx < kernel[1]; ++kx) {
          const std::size_t tap = ((o * in_per_group + c) * kernel[0] + ky) * kernel[1] + kx;
          sum += weight[tap] * pixel(n, o / out_per_group * in_per_group + c,
                                     oy * options.stride[0] + ky * options.dilation[0],
                                     ox * options.stride[1] + kx * options.dilation[1]);
        }
      }
    }
    result.push_back(sum);
  }
  return result;
}

}  // namespace pqw::test
