// Tensorized weights with random factors, and their dense form read by definition.
#pragma once

#include <cmath>
#include <utility>
#include <vector>

#include "pqw/codecs/weight.h"
#include "pqw/core/convert.h"
#include "tests/support/random_matrix.h"

namespace pqw::test {

inline PlainWeight plain_matrix(MatrixShape shape, const std::vector<float>& values) {
  PlainWeight plain{{{shape.rows, shape.cols}, DType::kF32}, {}};
  plain.bytes.resize(values.size() * sizeof(float));
  from_float(values, DType::kF32, plain.bytes);
  return plain;
}

inline TensorizedWeight random_tensorized_weight(Shape shape, TensorLayout layout,
                                                 std::size_t layer = 0) {
  TensorizedWeight weight;
  weight.shape = std::move(shape);
  weight.layout = std::move(layout);
  weight.layer = layer;
  std::vector<Weight> factors;
  for (const MatrixShape& factor : factor_shapes(weight.layout)) {
    const auto seed = static_cast<unsigned>(factors.size() + 11);
    factors.emplace_back(plain_matrix(factor, normal_values(factor.rows * factor.cols, seed)));
  }
  weight.factors = std::make_shared<const std::vector<Weight>>(std::move(factors));
  return weight;
}

// The digits of a number in a mixed radix, the last one running fastest.
inline Shape digits_of(std::size_t number, const Shape& radix) {
  Shape digits(radix.size());
  for (std::size_t k = radix.size(); k-- > 0; number /= radix[k]) digits[k] = number % radix[k];
  return digits;
}

// W[row][column] by the formulas of TensorForm, in double.
class TensorizedReference {
 public:
  explicit TensorizedReference(const TensorizedWeight& weight) : weight_(weight) {
    for (const MatrixShape& shape : factor_shapes(weight.layout)) {
      std::vector<float> values(shape.rows * shape.cols);
      decode_rows((*weight.factors)[shapes_.size()], 0, {values.data(), shape.rows, shape.cols});
      shapes_.push_back(shape);
      values_.push_back(std::move(values));
    }
  }

  double operator()(std::size_t row, std::size_t column) const {
    const TensorLayout& layout = weight_.layout;
    Shape digits = digits_of(row, layout.out_modes);
    if (layout.n_layers > 1) digits.insert(digits.begin(), weight_.layer);
    const Shape columns = digits_of(column, layout.in_modes);
    if (layout.form == TensorForm::kTtm) {
      std::vector<std::pair<std::size_t, std::size_t>> pairs;
      for (std::size_t k = 0; k < digits.size(); ++k) pairs.emplace_back(digits[k], columns[k]);
      return train(pairs);
    }
    std::vector<std::pair<std::size_t, std::size_t>> pairs;
    for (const std::size_t digit : digits) pairs.emplace_back(digit, 0);
    for (const std::size_t digit : columns) pairs.emplace_back(0, digit);
    if (layout.form == TensorForm::kTt) return train(pairs);
    digits.insert(digits.end(), columns.begin(), columns.end());
    return layout.form == TensorForm::kCp ? cp(digits) : tucker(digits);
  }

 private:
  double cp(const Shape& digits) const {
    const std::size_t rank = weight_.layout.ranks[0];
    double sum = 0;
    for (std::size_t r = 0; r < rank; ++r) {
      double term = 1;
      for (std::size_t k = 0; k < digits.size(); ++k) term *= values_[k][digits[k] * rank + r];
      sum += term;
    }
    return sum;
  }

  double tucker(const Shape& digits) const {
    double sum = 0;
    const std::vector<float>& core = values_.back();
    for (std::size_t i = 0; i < core.size(); ++i) {
      const Shape ranks = digits_of(i, weight_.layout.ranks);
      double term = core[i];
      for (std::size_t k = 0; k < digits.size(); ++k) {
        term *= values_[k][digits[k] * weight_.layout.ranks[k] + ranks[k]];
      }
      sum += term;
    }
    return sum;
  }

  // Core k is [rank before][rows' digits][columns' digits][rank behind].
  double train(const std::vector<std::pair<std::size_t, std::size_t>>& digits) const {
    const std::vector<std::size_t>& ranks = weight_.layout.ranks;
    std::vector<double> row{1};
    for (std::size_t k = 0; k < digits.size(); ++k) {
      const std::size_t n_out = shapes_[k].rows / row.size();
      const std::size_t n_behind = k < ranks.size() ? ranks[k] : 1;
      std::vector<double> next(n_behind);
      for (std::size_t a = 0; a < row.size(); ++a) {
        for (std::size_t b = 0; b < n_behind; ++b) {
          const std::size_t at = (a * n_out + digits[k].first) * shapes_[k].cols;
          next[b] += row[a] * values_[k][at + digits[k].second * n_behind + b];
        }
      }
      row = next;
    }
    return row[0];
  }

  const TensorizedWeight& weight_;
  std::vector<MatrixShape> shapes_;
  std::vector<std::vector<float>> values_;
};

}  // namespace pqw::test
