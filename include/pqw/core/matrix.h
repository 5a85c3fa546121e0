// The shape of a matrix, and a view of a row-major one, passed by value.
#pragma once

#include <cassert>
#include <cstddef>
#include <span>
#include <type_traits>

namespace pqw {

// A weight of rank >= 2 seen as a matrix: [out, in, k...] is flattened to rows = out and
// cols = in*k*..., an embedding [n, dim] is rows = n, cols = dim.
struct MatrixShape {
  std::size_t rows = 0;
  std::size_t cols = 0;
};

// Errors: kInvalidArgument for a rank below 2 or a shape that overflows.
MatrixShape matrix_shape(std::span<const std::size_t> shape);

// Rows are `stride` elements apart, columns are adjacent. The view owns nothing: whoever made it
// keeps the memory alive.
template <class T>
class MatrixView {
 public:
  MatrixView() = default;
  MatrixView(T* data, std::size_t rows, std::size_t cols) : MatrixView(data, rows, cols, cols) {}
  MatrixView(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {
    assert(stride >= cols || rows <= 1);
  }

  // A mutable view converts to a const one.
  template <class U>
  requires(std::is_same_v<T, const U>) MatrixView(const MatrixView<U>& other)
      : MatrixView(other.data(), other.rows(), other.cols(), other.stride()) {}

  T* data() const { return data_; }
  std::size_t rows() const { return rows_; }
  std::size_t cols() const { return cols_; }
  std::size_t stride() const { return stride_; }

  std::span<T> row(std::size_t r) const {
    assert(r < rows_);
    return {data_ + r * stride_, cols_};
  }
  T& operator()(std::size_t r, std::size_t c) const {
    assert(r < rows_ && c < cols_);
    return data_[r * stride_ + c];
  }

  // Columns first .. first+n-1 of every row; copies nothing.
  MatrixView columns(std::size_t first, std::size_t n) const {
    assert(first + n <= cols_);
    return {data_ + first, rows_, n, stride_};
  }

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0;
  std::size_t cols_ = 0;
  std::size_t stride_ = 0;
};

using ConstMatrix = MatrixView<const float>;
using MutableMatrix = MatrixView<float>;

}  // namespace pqw
