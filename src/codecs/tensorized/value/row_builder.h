// Builds rows of a tensorized matrix, one after the other.
#pragma once

#include <optional>
#include <vector>

#include "codecs/tensorized/value/factors.h"
#include "core/parallel.h"

namespace pqw::tensorized {

// Each digit of the row that is fixed leaves a smaller tensor. The tensors of the leading digits
// that a row shares with the previous row are kept.
class RowBuilder {
 public:
  // Rows are multiplied by `scale`. `factors` must outlive the builder.
  explicit RowBuilder(const Factors& factors, float scale = 1);

  // Row `row` of the padded matrix; as long as its padded columns, valid until the next call.
  const std::vector<float>& build(std::size_t row);

 private:
  void fix_digit(std::size_t mode, std::size_t digit);
  void fix_cp(std::size_t mode, std::size_t digit);
  void fix_tucker(std::size_t mode, std::size_t digit);
  void expand_cp();
  void expand_tucker();
  void through_core(std::size_t core, std::size_t digit, const std::vector<float>& from,
                    std::vector<float>& to) const;
  void expand_cores();

  const Factors& factors_;
  std::vector<MatrixShape> shapes_;
  std::size_t n_row_modes_;
  std::vector<std::size_t> digits_;         // of the row before
  std::vector<std::vector<float>> states_;  // states_[k]: the first k digits are fixed
  std::vector<float> row_;
  std::vector<float> spare_;
};

// As RowBuilder, but safe near the limits of float, where a sum may leave the range although its
// result is in it, or lose bits to underflow: such rows are built in scaled units. Elements beyond
// the range of float become the largest float.
class SafeRowBuilder {
 public:
  explicit SafeRowBuilder(const Factors& factors) : factors_(factors), rows_(factors) {}

  // As RowBuilder::build.
  const std::vector<float>& build(std::size_t row);

 private:
  const Factors& factors_;
  RowBuilder rows_;
  std::optional<RowBuilder> larger_, smaller_;  // made when needed
  std::vector<float> row_;
};

// Calls use(i, row) with row first+i, as long as its padded columns, for every i < n.
template <class Use>
void for_each_row(const Factors& factors, std::size_t first, std::size_t n, std::size_t n_columns,
                  const Use& use) {
  const Workers workers(n * n_columns, 16);
  // A range for each worker: neighbouring rows share digits.
  const Division division = Division::by_count(n, workers.count());
  workers.for_ranges(division, [&](const IndexRange& range, std::size_t) {
    SafeRowBuilder builder(factors);
    for (std::size_t i = range.begin; i < range.end; ++i) use(i, builder.build(first + i));
  });
}

// Operations of building all rows: multiplications and additions.
double build_cost(const TensorLayout& layout);

}  // namespace pqw::tensorized
