// Shapes and options of convolutions.
#pragma once

#include <array>
#include <cstddef>

namespace pqw {

// {vertical, horizontal}
using Size2d = std::array<std::size_t, 2>;

struct Conv1dOptions {
  std::size_t stride = 1;
  std::size_t padding = 0;  // zeros on each side
  std::size_t dilation = 1;
  std::size_t groups = 1;
};

struct Conv2dOptions {
  Size2d stride = {1, 1};
  Size2d padding = {0, 0};  // zeros on each side
  Size2d dilation = {1, 1};
  std::size_t groups = 1;
};

// A batch of sequences. Layout: float[batch][channels][length].
struct SequenceShape {
  std::size_t batch = 0;
  std::size_t channels = 0;
  std::size_t length = 0;

  std::size_t size() const { return batch * channels * length; }
  bool operator==(const SequenceShape&) const = default;
};

// A batch of images. Layout: float[batch][channels][height][width].
struct ImageShape {
  std::size_t batch = 0;
  std::size_t channels = 0;
  std::size_t height = 0;
  std::size_t width = 0;

  std::size_t size() const { return batch * channels * height * width; }
  bool operator==(const ImageShape&) const = default;
};

}  // namespace pqw
