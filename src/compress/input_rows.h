// Recorded inputs of a weight as rows of x in y = x Wᵀ.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/subject.h"
#include "pqw/core/tensor.h"

namespace pqw {

// How the kernel of a convolution moves over its input: a number for each dimension of the kernel, or
// one for all of them.
struct Window {
  std::vector<std::size_t> stride = {1};
  std::vector<std::size_t> padding = {0};
  std::vector<std::size_t> dilation = {1};
};

// Sets `stride`, `padding` or `dilation` from a text such as "2" or "2x1". Returns false for another
// key. Errors: kInvalidArgument for a wrong value.
bool set_window(const std::string& key, const std::string& value, Window& window);

// The geometry of an array: samples that follow each other, each of which gives some rows.
class InputRows {
 public:
  // `weight` is canonical. `array` names the array in messages. Errors: kInvalidArgument when the
  // shapes do not fit (compress/calibrate.h). REQUIRES: obstacle_to_rows(weight) is empty.
  InputRows(const Shape& shape, const TensorInfo& weight, const Window& window,
            const Subject& array);

  std::size_t n_samples() const { return n_samples_; }
  std::size_t sample_size() const { return sample_size_; }  // elements
  std::size_t rows_per_sample() const { return rows_per_sample_; }
  std::size_t cols() const { return cols_; }  // of all groups of a convolution

  // Row `row` of a sample. REQUIRES: `to` has cols() elements.
  void gather(std::span<const double> sample, std::size_t row, std::span<double> to) const;

 private:
  void set_patches(const Shape& shape, const TensorInfo& weight, const Window& window,
                   const Subject& array);
  // Where in a plane the kernel's element `tap` lies; empty if it is in the padding.
  std::optional<std::size_t> place_of(std::span<const std::size_t> start, std::size_t tap) const;

  struct Dimension {
    std::size_t size, kernel, outputs, stride, padding, dilation;
  };

  std::size_t n_samples_ = 0;
  std::size_t sample_size_ = 0;
  std::size_t rows_per_sample_ = 1;
  std::size_t cols_ = 0;
  std::size_t channels_ = 0;
  std::vector<Dimension> dimensions_;  // of the kernel; empty: a sample is a row
  bool transposed_ = false;            // the convolution
};

// Why there are no rows of the inputs of this weight: it is depthwise, and its rows are channels with
// several outputs each. Empty if there are. `weight` is canonical.
std::string obstacle_to_rows(const TensorInfo& weight);

}  // namespace pqw
