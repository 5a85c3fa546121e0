// The geometry of a convolution: the pixels of the input that an output pixel sees.
#pragma once

#include <array>
#include <cstddef>

namespace pqw {

struct ConvAxis {
  std::size_t input = 1;
  std::size_t output = 1;
  std::size_t kernel = 1;
  std::size_t stride = 1;
  std::size_t padding = 0;
  std::size_t dilation = 1;
};

// Convolutions of all dimensions have three axes: depth, height, width. Those that a layer does not
// have are of size 1.
struct ConvGeometry {
  std::size_t batch = 0;
  std::size_t n_inputs = 0;   // channels
  std::size_t n_outputs = 0;  // channels
  std::size_t groups = 1;
  bool transposed = false;  // output pixel o sees at tap t the input (o + padding - t * dilation) /
                            // stride, if that is a pixel
  std::array<ConvAxis, 3> axes = {};

  std::size_t inputs_per_group() const { return n_inputs / groups; }
  std::size_t outputs_per_group() const { return n_outputs / groups; }
  std::size_t n_taps() const { return axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  // Columns of the weight matrix: [input of the group][kd][kh][kw].
  std::size_t patch_size() const { return inputs_per_group() * n_taps(); }
  // Pixels of a channel.
  std::size_t n_input_pixels() const { return axes[0].input * axes[1].input * axes[2].input; }
  std::size_t n_pixels() const { return axes[0].output * axes[1].output * axes[2].output; }
  std::size_t x_size() const { return batch * n_inputs * n_input_pixels(); }
  std::size_t y_size() const { return batch * n_outputs * n_pixels(); }
  std::size_t n_multiplications() const { return y_size() * patch_size(); }
};

}  // namespace pqw
