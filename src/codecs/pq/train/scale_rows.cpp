// Row scales: the root mean squares of rows.
#include "codecs/pq/train/scale_rows.h"

#include <algorithm>
#include <cmath>

#include "codecs/float_range.h"
#include "codecs/pq/value/row_scales.h"
#include "core/parallel.h"

namespace pqw {
namespace {

constexpr std::size_t kRowsPerRange = 64;

// Calls f(row, block) for all blocks, with ranges of rows side by side; the blocks of a row in the
// order of their positions.
template <class F>
void for_each_block(Blocks& blocks, std::size_t n_rows, const F& f) {
  const std::size_t d = blocks.block_size;
  Workers(blocks.values.size(), 2)
      .for_ranges(Division::by_length(n_rows, kRowsPerRange),
                  [&](const IndexRange& range, std::size_t) {
                    for (std::size_t first = 0; first < blocks.count(); first += n_rows) {
                      for (std::size_t r = range.begin; r < range.end; ++r) {
                        f(r, std::span(blocks.values).subspan((first + r) * d, d));
                      }
                    }
                  });
}

}  // namespace

std::vector<float> scale_rows(RowScales type, Blocks& blocks) {
  if (type == RowScales::kNone) return {};
  const std::size_t n_rows = matrix_shape(blocks.shape).rows;
  std::vector<double> squares(n_rows);
  for_each_block(blocks, n_rows, [&](std::size_t r, std::span<float> block) {
    for (const double value : block) squares[r] += value * value;
  });
  const double largest = n_rows > 0 ? std::ranges::max(squares) : 0;
  std::vector<float> scales(n_rows);
  for (std::size_t r = 0; r < n_rows && largest > 0; ++r) {
    scales[r] = nearest_row_scale(std::sqrt(squares[r] / largest), type);
  }
  for_each_block(blocks, n_rows, [&](std::size_t r, std::span<float> block) {
    const double inverse = scales[r] > 0 ? 1 / double{scales[r]} : 0;
    for (float& value : block) value = saturated(value * inverse);
  });
  return scales;
}

std::vector<float> row_weights(const PqImportance& importance, const PqWeight& weight) {
  if (weight.row_scales.empty()) return {importance.rows.begin(), importance.rows.end()};
  std::vector<float> weights;
  for (std::size_t r = 0; r < weight.row_scales.size(); ++r) {
    const float scale = weight.row_scales[r];
    weights.push_back(scale * scale * (importance.rows.empty() ? 1 : importance.rows[r]));
  }
  return weights;
}

}  // namespace pqw
