// Arrays of numpy as inputs and outputs of layers, and the names of element types.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pqw/core/matrix.h"
#include "pqw/core/tensor.h"

namespace pqw::python {

using Dimensions = std::vector<pybind11::ssize_t>;

// Text of files, which need not be UTF-8: other bytes become lone surrogates, as in names of files.
pybind11::str text(const std::string& bytes);

// The inverse of `text`.
std::string bytes_of_text(const pybind11::str& text);

// "float32", "bfloat16", "float8_e4m3fn", "int64", ...: the names of numpy and PyTorch; types that
// neither has keep the names of safetensors.
std::string python_dtype(const TensorInfo& info);

// "[2, 3]"
std::string shape_text(const pybind11::array& array);

// An array as float32 that is aligned: the array itself if it is that, else a copy in C order.
// `what` is its name in messages. Errors: ValueError for other types than floats.
pybind11::array_t<float> float_array(pybind11::handle source, const char* what);

// An array of any integer type, or a sequence, as int64 in C order. Errors: as above.
pybind11::array_t<std::int64_t> index_array(pybind11::handle source, const char* what);

// The array itself if it is in C order, else a copy.
pybind11::array_t<float> contiguous(pybind11::array_t<float> array);

// The array `out` of a caller. Errors: ValueError if it is no array, has another shape or is read-only.
pybind11::array writable_array(pybind11::handle out, const Dimensions& shape);

// A float32 array [..., cols] as the rows of a matrix. Copies it unless it is in C order, or has two
// dimensions with adjacent columns.
class InputRows {
 public:
  explicit InputRows(pybind11::array_t<float> array);

  const pybind11::array_t<float>& array() const { return array_; }
  ConstMatrix matrix() const { return matrix_; }

 private:
  pybind11::array_t<float> array_;
  ConstMatrix matrix_;
};

// Where a layer writes: a new array, or the array `out`. It writes to `out` directly if that is
// float32, has the order that the layer needs, and does not overlap the input; else by way of a new
// array.
class Output {
 public:
  enum class Order {
    kRows,      // the elements of a row are adjacent
    kAdjacent,  // all elements are, in C order
  };

  // `out` and `input` may be None and null. Errors: ValueError for another shape, an array that is
  // read-only, or no array.
  Output(pybind11::handle out, const Dimensions& shape, const pybind11::array* input,
         Order order = Order::kRows);

  // All but the last dimension are rows.
  MutableMatrix matrix() const { return matrix_; }

  // REQUIRES: kAdjacent.
  float* data() const { return matrix_.data(); }

  // Copies to `out` if the results are elsewhere, and returns the array that has them.
  pybind11::object finish() const;

 private:
  pybind11::object out_ = pybind11::none();  // gets a copy of `values_` in the end; or None
  pybind11::array_t<float> values_;          // written by the layer
  MutableMatrix matrix_;
};

}  // namespace pqw::python
