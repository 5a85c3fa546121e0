// Arithmetic of modes and ranks.
#include "codecs/tensorized/value/layout.h"

#include <algorithm>
#include <functional>
#include <numeric>

#include "core/subject.h"

namespace pqw {
namespace {

[[noreturn]] void no_layout(const TensorLayout& layout, const std::string& what) {
  throw invalid_argument("a {} weight of modes {} x {} and ranks {}: {}", to_string(layout.form),
                         to_string(layout.out_modes), to_string(layout.in_modes),
                         to_string(layout.ranks), what);
}

std::size_t expected_ranks(const TensorLayout& layout) {
  const std::size_t n_modes = tensorized::all_modes(layout).size();
  switch (layout.form) {
    case TensorForm::kCp:
      return 1;
    case TensorForm::kTucker:
      return n_modes;
    case TensorForm::kTt:
      return n_modes - 1;
    case TensorForm::kTtm:
      return layout.out_modes.size() - 1;
  }
  return 0;
}

void check(const TensorLayout& layout) {
  const Shape modes = tensorized::all_modes(layout);
  if (layout.out_modes.empty() || layout.in_modes.empty() || layout.n_layers == 0) {
    no_layout(layout, "expected modes on both sides and a layer");
  }
  if (std::count(modes.begin(), modes.end(), 0u) + std::ranges::count(layout.ranks, 0u) > 0) {
    no_layout(layout, "expected sizes above zero");
  }
  if (layout.form == TensorForm::kTtm && layout.n_layers > 1) {
    no_layout(layout,
              "its modes are pairs and leave no place for layers; expected cp, tucker or tt");
  }
  if (layout.form == TensorForm::kTtm && layout.out_modes.size() != layout.in_modes.size()) {
    no_layout(layout, "expected as many modes on both sides, as they are pairs");
  }
  if (layout.ranks.size() != expected_ranks(layout)) {
    no_layout(layout, "expected " + std::to_string(expected_ranks(layout)) + " ranks");
  }
  if (!checked_element_count(modes) || !checked_element_count(layout.ranks)) {
    no_layout(layout, "its sizes overflow 63 bits");
  }
}

MatrixShape checked(const TensorLayout& layout, std::size_t a, std::size_t b, std::size_t c,
                    std::size_t d) {
  if (!checked_element_count(Shape{a, b, c, d})) no_layout(layout, "its sizes overflow 63 bits");
  return {a * b, c * d};
}

std::vector<MatrixShape> tucker_shapes(const TensorLayout& layout) {
  const Shape modes = tensorized::all_modes(layout);
  const std::size_t n_row_modes = modes.size() - layout.in_modes.size();
  std::vector<MatrixShape> shapes;
  std::size_t rows = 1, cols = 1;
  for (std::size_t k = 0; k < modes.size(); ++k) {
    shapes.push_back(checked(layout, modes[k], 1, layout.ranks[k], 1));
    (k < n_row_modes ? rows : cols) *= layout.ranks[k];
  }
  shapes.push_back({rows, cols});
  return shapes;
}

std::vector<MatrixShape> core_shapes(const TensorLayout& layout) {
  std::vector<MatrixShape> shapes;
  for (const tensorized::CoreModes& modes : tensorized::core_modes(layout)) {
    const std::size_t k = shapes.size();
    shapes.push_back(checked(layout, tensorized::rank_before(layout, k), modes.out, modes.in,
                             tensorized::rank_behind(layout, k)));
  }
  return shapes;
}

}  // namespace

namespace tensorized {

Shape row_modes(const TensorLayout& layout) {
  Shape modes;
  if (layout.n_layers > 1) modes.push_back(layout.n_layers);
  modes.insert(modes.end(), layout.out_modes.begin(), layout.out_modes.end());
  return modes;
}

Shape all_modes(const TensorLayout& layout) {
  Shape modes = row_modes(layout);
  modes.insert(modes.end(), layout.in_modes.begin(), layout.in_modes.end());
  return modes;
}

std::vector<CoreModes> core_modes(const TensorLayout& layout) {
  std::vector<CoreModes> modes;
  for (const std::size_t size : row_modes(layout)) modes.push_back({.out = size});
  for (std::size_t k = 0; k < layout.in_modes.size(); ++k) {
    if (layout.form == TensorForm::kTtm) {
      modes[k].in = layout.in_modes[k];
    } else {
      modes.push_back({.in = layout.in_modes[k]});
    }
  }
  return modes;
}

std::size_t rank_before(const TensorLayout& layout, std::size_t core) {
  return core == 0 ? 1 : layout.ranks[core - 1];
}

std::size_t rank_behind(const TensorLayout& layout, std::size_t core) {
  return core == layout.ranks.size() ? 1 : layout.ranks[core];
}

std::size_t product(std::span<const std::size_t> sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), std::size_t{1}, std::multiplies<>());
}

}  // namespace tensorized

// In the order of the enumeration.
std::string_view to_string(TensorForm form) {
  constexpr std::string_view kNames[] = {"cp", "tucker", "tt", "ttm"};
  return kNames[static_cast<std::size_t>(form)];
}

std::vector<MatrixShape> factor_shapes(const TensorLayout& layout) {
  check(layout);
  switch (layout.form) {
    case TensorForm::kCp: {
      std::vector<MatrixShape> shapes;
      for (const std::size_t size : tensorized::all_modes(layout)) {
        shapes.push_back(checked(layout, size, 1, layout.ranks[0], 1));
      }
      return shapes;
    }
    case TensorForm::kTucker:
      return tucker_shapes(layout);
    default:
      return core_shapes(layout);
  }
}

std::size_t parameter_count(const TensorLayout& layout) {
  std::size_t count = 0;
  for (const MatrixShape& shape : factor_shapes(layout)) count += shape.rows * shape.cols;
  return count;
}

}  // namespace pqw
