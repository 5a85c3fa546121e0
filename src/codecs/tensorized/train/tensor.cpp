// A dense tensor in double.
#include "codecs/tensorized/train/tensor.h"

#include <cassert>

#include "codecs/tensorized/value/layout.h"

namespace pqw::tensorized {

using linear_algebra::Matrix;
using linear_algebra::Op;

double squared_norm(const Tensor& tensor) {
  double sum = 0;
  for (const double value : tensor.values) sum += value * value;
  return sum;
}

namespace {

// The first mode becomes the last one, so that n turns bring all back and every product with a
// matrix is one large product.
Tensor turned(const Tensor& tensor) {
  const std::size_t d = tensor.shape[0], rest = tensor.values.size() / d;
  Tensor result{{tensor.shape.begin() + 1, tensor.shape.end()}, {}};
  result.shape.push_back(d);
  result.values.resize(tensor.values.size());
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < rest; ++j) result.values[j * d + i] = tensor.values[i * rest + j];
  }
  return result;
}

Tensor turned_and_shrunk(const Tensor& tensor, const Matrix& matrix) {
  const std::size_t d = tensor.shape[0], rest = tensor.values.size() / d;
  assert(matrix.rows == d);
  Tensor result{{tensor.shape.begin() + 1, tensor.shape.end()}, {}};
  result.shape.push_back(matrix.cols);
  result.values.resize(rest * matrix.cols);
  linear_algebra::multiply(Op::kTransposed, Op::kNone, rest, matrix.cols, d, tensor.values.data(),
                           matrix.values.data(), result.values.data());
  return result;
}

Matrix gram_of_first_mode(const Tensor& tensor) {
  const std::size_t d = tensor.shape[0];
  Matrix gram(d, d);
  linear_algebra::multiply(Op::kNone, Op::kTransposed, d, d, tensor.values.size() / d,
                           tensor.values.data(), tensor.values.data(), gram.values.data());
  return gram;
}

}  // namespace

Tensor shrink_modes(const Tensor& tensor, const std::vector<Matrix>& matrices, std::size_t skip) {
  Tensor result = tensor;
  for (std::size_t k = 0; k < matrices.size(); ++k) {
    result = k == skip ? turned(result) : turned_and_shrunk(result, matrices[k]);
  }
  return result;
}

std::vector<Matrix> grams_of_modes(const Tensor& tensor) {
  std::vector<Matrix> grams;
  Tensor current = tensor;
  for (std::size_t k = 0; k < tensor.shape.size(); ++k) {
    grams.push_back(gram_of_first_mode(current));
    current = turned(current);
  }
  return grams;
}

Matrix gram_of_mode(const Tensor& tensor, std::size_t mode) {
  Tensor current = tensor;
  for (std::size_t k = 0; k < mode; ++k) current = turned(current);
  return gram_of_first_mode(current);
}

Tensor permuted(const Tensor& tensor, const std::vector<std::size_t>& order) {
  const std::size_t n = order.size();
  std::vector<std::size_t> strides(n, 1);  // of the tensor
  for (std::size_t k = n - 1; k-- > 0;) strides[k] = strides[k + 1] * tensor.shape[k + 1];
  Tensor result{Shape(n), std::vector<double>(tensor.values.size())};
  for (std::size_t k = 0; k < n; ++k) result.shape[k] = tensor.shape[order[k]];
  std::vector<std::size_t> digits(n, 0);
  std::size_t from = 0;
  for (double& value : result.values) {
    value = tensor.values[from];
    for (std::size_t k = n; k-- > 0;) {
      from += strides[order[k]];
      if (++digits[k] < result.shape[k]) break;
      from -= strides[order[k]] * digits[k];
      digits[k] = 0;
    }
  }
  return result;
}

}  // namespace pqw::tensorized
