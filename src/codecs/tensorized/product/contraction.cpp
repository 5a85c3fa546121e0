// y = x Wᵀ by contracting x with the factors: Tucker and trains.
#include "codecs/tensorized/product/contraction.h"

#include <algorithm>

#include "codecs/tensorized/value/layout.h"
#include "core/parallel.h"

namespace pqw::tensorized {
namespace {

constexpr std::size_t kBatch = 64;       // rows of x at a time
constexpr std::size_t kRowsAtOnce = 16;  // of a stage's result, by one thread

// One step: from float[before][in][behind][batch] to float[before][out][behind][batch] by the
// matrix [out][in].
struct Stage {
  std::size_t factor;
  bool transposed;  // the factor is the matrix [in][out]
  std::size_t before;
  std::size_t out;
  std::size_t in;
  std::size_t behind;

  double cost() const {
    return 2.0 * static_cast<double>(before) * static_cast<double>(out) * static_cast<double>(in) *
           static_cast<double>(behind);
  }
};

// From the last core to the first: core k takes in_k and the rank behind it, and leaves the rank
// before it and out_k.
std::vector<Stage> train_stages(const TensorLayout& layout) {
  const std::vector<MatrixShape> shapes = factor_shapes(layout);
  std::size_t before = product(layout.in_modes);
  std::size_t behind = 1;
  std::vector<Stage> stages;
  for (std::size_t k = shapes.size(); k-- > 0;) {
    before /= shapes[k].cols / rank_behind(layout, k);
    stages.push_back({k, false, before, shapes[k].rows, shapes[k].cols, behind});
    behind *= shapes[k].rows / rank_before(layout, k);
  }
  return stages;
}

// The columns' modes shrink to their ranks, the core takes them to those of the rows, which grow.
std::vector<Stage> tucker_stages(const TensorLayout& layout) {
  const std::vector<MatrixShape> shapes = factor_shapes(layout);
  const std::size_t n_row_modes = layout.out_modes.size();
  const std::size_t core = shapes.size() - 1;
  std::vector<Stage> stages;
  std::size_t before = 1;
  std::size_t behind = product(layout.in_modes);
  for (std::size_t k = n_row_modes; k < core; ++k) {
    behind /= shapes[k].rows;
    stages.push_back({k, true, before, shapes[k].cols, shapes[k].rows, behind});
    before *= shapes[k].cols;
  }
  stages.push_back({core, false, 1, shapes[core].rows, shapes[core].cols, 1});
  before = 1;
  behind = shapes[core].rows;
  for (std::size_t k = 0; k < n_row_modes; ++k) {
    behind /= shapes[k].cols;
    stages.push_back({k, false, before, shapes[k].rows, shapes[k].cols, behind});
    before *= shapes[k].rows;
  }
  return stages;
}

std::vector<Stage> stages_of(const TensorLayout& layout) {
  return layout.form == TensorForm::kTucker ? tucker_stages(layout) : train_stages(layout);
}

std::vector<float> transposed(const std::vector<float>& matrix, std::size_t cols) {
  const std::size_t rows = matrix.size() / cols;
  std::vector<float> result(matrix.size());
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < cols; ++c) result[c * rows + r] = matrix[r * cols + c];
  }
  return result;
}

void run(const Stage& stage, const kernels::ContractionKernels& kernels, const float* matrix,
         std::size_t batch, const std::vector<float>& from, std::vector<float>& to) {
  const std::size_t width = stage.behind * batch;
  to.resize(stage.before * stage.out * width);
  const std::size_t n_parts = (stage.out + kRowsAtOnce - 1) / kRowsAtOnce;
  Workers(batch, stage.cost()).for_each(stage.before * n_parts, [&](std::size_t job) {
    const std::size_t p = job / n_parts;
    const std::size_t first = job % n_parts * kRowsAtOnce;
    const std::size_t n_rows = std::min(kRowsAtOnce, stage.out - first);
    kernels.product(matrix + first * stage.in, stage.in, n_rows, stage.in,
                    from.data() + p * stage.in * width, width,
                    to.data() + (p * stage.out + first) * width);
  });
}

// Layout: float[columns][batch], the padding zeros.
std::vector<float> columns_first(ConstMatrix x, std::size_t first, std::size_t batch,
                                 std::size_t n_columns) {
  std::vector<float> state(n_columns * batch);
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t c = 0; c < x.cols(); ++c) state[c * batch + b] = x(first + b, c);
  }
  return state;
}

}  // namespace

void contract(const Factors& factors, ConstMatrix x, MutableMatrix y) {
  if (factors.layout.form == TensorForm::kCp) return contract_cp(factors, x, y);
  const std::vector<Stage> stages = stages_of(factors.layout);
  std::vector<std::vector<float>> matrices;
  for (const Stage& stage : stages) {
    const std::vector<float>& values = factors.values[stage.factor];
    matrices.push_back(stage.transposed ? transposed(values, stage.out) : values);
  }
  std::vector<float> next;
  for (std::size_t first = 0; first < x.rows(); first += kBatch) {
    const std::size_t batch = std::min(kBatch, x.rows() - first);
    std::vector<float> state = columns_first(x, first, batch, product(factors.layout.in_modes));
    for (std::size_t s = 0; s < stages.size(); ++s) {
      run(stages[s], *factors.kernels, matrices[s].data(), batch, state, next);
      state.swap(next);
    }
    for (std::size_t b = 0; b < batch; ++b) {
      for (std::size_t r = 0; r < y.cols(); ++r) y(first + b, r) = state[r * batch + b];
    }
  }
}

double contract_cost(const TensorLayout& layout) {
  if (layout.form == TensorForm::kCp) return contract_cp_cost(layout);
  double cost = 0;
  for (const Stage& stage : stages_of(layout)) cost += stage.cost();
  return cost;
}

}  // namespace pqw::tensorized
