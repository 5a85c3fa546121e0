// Rows of a tensorized matrix, one after the other.
#include "codecs/tensorized/value/row_builder.h"

#include <algorithm>

#include "codecs/float_range.h"
#include "codecs/tensorized/value/layout.h"

namespace pqw::tensorized {

RowBuilder::RowBuilder(const Factors& factors, float scale)
    : factors_(factors),
      shapes_(factor_shapes(factors.layout)),
      n_row_modes_(factors.layout.out_modes.size()),
      digits_(n_row_modes_, static_cast<std::size_t>(-1)),  // of no row
      states_(n_row_modes_ + 1) {
  switch (factors.layout.form) {
    case TensorForm::kCp:
      states_[0].assign(factors.layout.ranks[0], scale);
      break;
    case TensorForm::kTucker:
      states_[0] = factors.values.back();
      if (scale != 1) {
        for (float& value : states_[0]) value *= scale;
      }
      break;
    default:
      states_[0] = {scale};
  }
}

const std::vector<float>& RowBuilder::build(std::size_t row) {
  std::vector<std::size_t> digits(n_row_modes_);
  for (std::size_t k = n_row_modes_; k-- > 0; row /= factors_.layout.out_modes[k]) {
    digits[k] = row % factors_.layout.out_modes[k];
  }
  const auto changed = std::ranges::mismatch(digits, digits_).in1 - digits.begin();
  for (std::size_t k = static_cast<std::size_t>(changed); k < n_row_modes_; ++k) {
    fix_digit(k, digits[k]);
  }
  digits_ = digits;
  row_ = states_.back();
  switch (factors_.layout.form) {
    case TensorForm::kCp:
      expand_cp();
      break;
    case TensorForm::kTucker:
      expand_tucker();
      break;
    case TensorForm::kTt:
      expand_cores();
      break;
    case TensorForm::kTtm:
      break;  // its cores have brought the columns along
  }
  return row_;
}

void RowBuilder::fix_digit(std::size_t mode, std::size_t digit) {
  switch (factors_.layout.form) {
    case TensorForm::kCp:
      return fix_cp(mode, digit);
    case TensorForm::kTucker:
      return fix_tucker(mode, digit);
    default:
      return through_core(mode, digit, states_[mode], states_[mode + 1]);
  }
}

// States are float[R]: the products of the rows of the factors so far.
void RowBuilder::fix_cp(std::size_t mode, std::size_t digit) {
  const std::size_t rank = factors_.layout.ranks[0];
  const float* factor = factors_.values[mode].data() + digit * rank;
  const std::vector<float>& from = states_[mode];
  std::vector<float>& to = states_[mode + 1];
  to.resize(rank);
  factors_.kernels->multiply(from.data(), factor, rank, to.data());
}

// States are float[r of the rows to come][r of the columns].
void RowBuilder::fix_tucker(std::size_t mode, std::size_t digit) {
  const std::size_t rank = shapes_[mode].cols;
  const std::size_t rest = states_[mode].size() / rank;
  states_[mode + 1].resize(rest);
  factors_.kernels->product(factors_.values[mode].data() + digit * rank, rank, 1, rank,
                            states_[mode].data(), rest, states_[mode + 1].data());
}

// From float[columns so far][r before] to float[columns so far][in][r after].
void RowBuilder::through_core(std::size_t core, std::size_t digit, const std::vector<float>& from,
                              std::vector<float>& to) const {
  const std::size_t before = rank_before(factors_.layout, core);
  const std::size_t n_digits = shapes_[core].rows / before;
  const std::size_t width = shapes_[core].cols;
  const std::size_t n_columns = from.size() / before;
  // The slice of the core at this digit has its rows n_digits * width apart.
  std::vector<float> slice(before * width);
  for (std::size_t r = 0; r < before; ++r) {
    std::copy_n(factors_.values[core].data() + (r * n_digits + digit) * width, width,
                slice.data() + r * width);
  }
  to.resize(n_columns * width);
  factors_.kernels->product(from.data(), before, n_columns, before, slice.data(), width, to.data());
}

void RowBuilder::expand_cores() {
  for (std::size_t core = n_row_modes_; core < shapes_.size(); ++core) {
    through_core(core, 0, row_, spare_);
    row_.swap(spare_);
  }
}

// Each mode of columns turns float[columns so far][R] into float[columns so far][in][R]; the last
// one sums over R instead.
void RowBuilder::expand_cp() {
  const std::size_t rank = factors_.layout.ranks[0];
  for (std::size_t k = n_row_modes_; k < shapes_.size(); ++k) {
    const std::size_t n_columns = row_.size() / rank;
    const std::size_t size = shapes_[k].rows;
    const bool last = k + 1 == shapes_.size();
    spare_.resize(n_columns * size * (last ? 1 : rank));
    for (std::size_t p = 0; p < n_columns; ++p) {
      const float* from = row_.data() + p * rank;
      for (std::size_t j = 0; j < size; ++j) {
        const float* factor = factors_.values[k].data() + j * rank;
        if (last) {
          spare_[p * size + j] = factors_.kernels->dot(from, factor, rank);
          continue;
        }
        float* to = spare_.data() + (p * size + j) * rank;
        factors_.kernels->multiply(from, factor, rank, to);
      }
    }
    row_.swap(spare_);
  }
}

// Mode by mode from float[columns so far][r][ranks to come] to float[columns so far][in][ranks
// ...].
void RowBuilder::expand_tucker() {
  std::size_t n_columns = 1;
  for (std::size_t k = n_row_modes_; k + 1 < shapes_.size(); ++k) {
    const std::size_t rank = shapes_[k].cols;
    const std::size_t size = shapes_[k].rows;
    const std::size_t rest = row_.size() / (n_columns * rank);
    spare_.resize(n_columns * size * rest);
    for (std::size_t p = 0; p < n_columns; ++p) {
      factors_.kernels->product(factors_.values[k].data(), rank, size, rank,
                                row_.data() + p * rank * rest, rest,
                                spare_.data() + p * size * rest);
    }
    row_.swap(spare_);
    n_columns *= size;
  }
}

const std::vector<float>& SafeRowBuilder::build(std::size_t row) {
  constexpr float kScale = 0x1p64f;
  const std::vector<float>& usual = rows_.build(row);
  const float largest = largest_magnitude(usual);
  if (is_well_inside(largest)) return usual;
  const bool tiny = largest < 1;
  std::optional<RowBuilder>& other = tiny ? larger_ : smaller_;
  if (!other) other.emplace(factors_, tiny ? kScale : 1 / kScale);
  const double unit = tiny ? 1 / kScale : kScale;
  row_ = other->build(row);
  // Zeros may stand beside the largest weights, which have no place in larger units.
  if (tiny && !all_finite(row_)) return usual;
  for (float& value : row_) value = saturated(value * unit);
  return row_;
}

double build_cost(const TensorLayout& layout) {
  const std::vector<MatrixShape> shapes = factor_shapes(layout);
  const std::size_t n_row_modes = layout.out_modes.size();
  const auto count = [](std::size_t n) { return static_cast<double>(n); };
  double cost = 0, rows = 1, columns = 1;
  if (layout.form == TensorForm::kTt || layout.form == TensorForm::kTtm) {
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      const std::size_t before = rank_before(layout, k);
      if (k < n_row_modes) rows *= count(shapes[k].rows / before);
      cost += 2 * rows * columns * count(before) * count(shapes[k].cols);
      columns *= count(shapes[k].cols / rank_behind(layout, k));
    }
    return cost;
  }
  double state = layout.form == TensorForm::kCp ? count(layout.ranks[0]) : 1;
  if (layout.form == TensorForm::kTucker) {
    for (const std::size_t rank : layout.ranks) state *= count(rank);
  }
  for (std::size_t k = 0; k < n_row_modes + layout.in_modes.size(); ++k) {
    double& side = k < n_row_modes ? rows : columns;
    side *= count(shapes[k].rows);
    if (layout.form == TensorForm::kCp) {
      const bool last = k + 1 == shapes.size();
      cost += (last ? 2 : 1) * rows * columns * state;
    } else {
      state /= count(shapes[k].cols);
      cost += 2 * rows * columns * state * count(shapes[k].cols);
    }
  }
  return cost;
}

}  // namespace pqw::tensorized
