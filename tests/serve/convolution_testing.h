// The definition of a convolution, in double.
#pragma once

#include <span>
#include <vector>

#include "pqw/serve/convolution.h"

namespace pqw::test {

// weight: [output.channels][input.channels / groups][kernel], row-major.
inline std::vector<double> convolution(std::span<const float> x, const VolumeShape& input,
                                       std::span<const float> weight, const Size3d& kernel,
                                       std::span<const float> bias, const Conv3dOptions& options,
                                       const VolumeShape& output) {
  const std::size_t in_per_group = input.channels / options.groups;
  const std::size_t out_per_group = output.channels / options.groups;
  const Size3d sizes = {input.depth, input.height, input.width};
  // The pixel of channel `channel` of x, zero on the padding. Coordinates count from the padding's
  // edge.
  const auto pixel = [&](std::size_t channel, const Size3d& at) {
    std::size_t index = channel;
    for (std::size_t i = 0; i < 3; ++i) {
      if (at[i] < options.padding[i] || at[i] >= options.padding[i] + sizes[i]) return 0.0;
      index = index * sizes[i] + at[i] - options.padding[i];
    }
    return static_cast<double>(x[index]);
  };
  const std::size_t n_taps = kernel[0] * kernel[1] * kernel[2];
  std::vector<double> result;
  for (std::size_t i = 0; i < output.size(); ++i) {
    const std::size_t ox = i % output.width, row = i / output.width;
    const std::size_t oy = row % output.height, slice = row / output.height;
    const std::size_t oz = slice % output.depth, plane = slice / output.depth;
    const std::size_t o = plane % output.channels, n = plane / output.channels;
    double sum = bias.empty() ? 0 : bias[o];
    for (std::size_t c = 0; c < in_per_group; ++c) {
      const std::size_t channel = n * input.channels + o / out_per_group * in_per_group + c;
      for (std::size_t tap = 0; tap < n_taps; ++tap) {
        const std::size_t kz = tap / (kernel[1] * kernel[2]);
        const std::size_t ky = tap / kernel[2] % kernel[1], kx = tap % kernel[2];
        sum += weight[(o * in_per_group + c) * n_taps + tap] *
               pixel(channel, {oz * options.stride[0] + kz * options.dilation[0],
                               oy * options.stride[1] + ky * options.dilation[1],
                               ox * options.stride[2] + kx * options.dilation[2]});
      }
    }
    result.push_back(sum);
  }
  return result;
}

}  // namespace pqw::test
