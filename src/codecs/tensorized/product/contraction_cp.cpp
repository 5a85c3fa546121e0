// y = x Wᵀ by contracting x with the factors of kCp.
//
// z[r] = Σ_j x[j_1 ... j_m] B_1[j_1][r] ... B_m[j_m][r], summed from the last digit to the first;
// y[i_1 ... i_n] = Σ_r z[r] A_1[i_1][r] ... A_n[i_n][r], multiplied from the first to the last.
#include <algorithm>

#include "codecs/tensorized/product/contraction.h"
#include "codecs/tensorized/value/layout.h"
#include "core/parallel.h"

namespace pqw::tensorized {
namespace {

constexpr std::size_t kPart = 256;  // ranks at a time: partial sums stay in the cache

// The factors of the columns and some of the ranks.
class InSide {
 public:
  InSide(const Factors& factors, std::size_t n_columns)
      : modes_(factors.layout.in_modes),
        first_factor_(factors.layout.out_modes.size()),
        rank_(factors.layout.ranks[0]),
        values_(factors.values),
        kernels_(*factors.kernels),
        n_columns_(n_columns) {}

  // z[r] of ranks first .. first+count-1. `x` holds n_columns values, the padding is zeros.
  void contract(const float* x, std::size_t first, std::size_t count, float* z) const {
    std::vector<std::vector<float>> sums(modes_.size(), std::vector<float>(count));
    add(x, 0, 0, first, count, sums, z);
  }

 private:
  // sum[r] = Σ of all columns whose first digits, up to `mode`, are those of `prefix`.
  void add(const float* x, std::size_t mode, std::size_t prefix, std::size_t first,
           std::size_t count, std::vector<std::vector<float>>& sums, float* sum) const {
    std::fill_n(sum, count, 0.0f);
    const std::size_t behind = product(std::span(modes_).subspan(mode + 1));
    for (std::size_t j = 0; j < modes_[mode]; ++j) {
      const std::size_t digit = prefix * modes_[mode] + j;
      if (digit * behind >= n_columns_) break;  // padding
      const float* factor = values_[first_factor_ + mode].data() + j * rank_ + first;
      if (mode + 1 == modes_.size()) {
        kernels_.add_scaled(factor, x[digit], count, sum);
        continue;
      }
      float* inner = sums[mode + 1].data();
      add(x, mode + 1, digit, first, count, sums, inner);
      kernels_.add_product(inner, factor, count, sum);
    }
  }

  const Shape& modes_;
  std::size_t first_factor_;
  std::size_t rank_;
  const std::vector<std::vector<float>>& values_;
  const kernels::ContractionKernels& kernels_;
  std::size_t n_columns_;
};

// The rows of y that share all digits but the last: `prefix` is the number that those make.
void expand(const Factors& factors, const float* z, std::size_t prefix, std::span<float> y) {
  const Shape& modes = factors.layout.out_modes;
  const std::size_t rank = factors.layout.ranks[0];
  std::vector<float> product_of_rows(z, z + rank);
  std::size_t number = prefix;
  for (std::size_t k = modes.size() - 1; k-- > 0; number /= modes[k]) {
    const float* factor = factors.values[k].data() + number % modes[k] * rank;
    factors.kernels->multiply(product_of_rows.data(), factor, rank, product_of_rows.data());
  }
  for (std::size_t i = 0; i < modes.back(); ++i) {
    const std::size_t row = prefix * modes.back() + i;
    if (row >= y.size()) break;  // padding
    y[row] = factors.kernels->dot(product_of_rows.data(),
                                  factors.values[modes.size() - 1].data() + i * rank, rank);
  }
}

}  // namespace

void contract_cp(const Factors& factors, ConstMatrix x, MutableMatrix y) {
  const std::size_t rank = factors.layout.ranks[0];
  const std::size_t n_parts = (rank + kPart - 1) / kPart;
  const std::size_t n_prefixes =
      (y.cols() + factors.layout.out_modes.back() - 1) / factors.layout.out_modes.back();
  const InSide in_side(factors, x.cols());
  std::vector<float> z(x.rows() * rank);
  const Workers workers(x.rows(), contract_cp_cost(factors.layout));
  workers.for_each(x.rows() * n_parts, [&](std::size_t job) {
    const std::size_t b = job / n_parts;
    const std::size_t first = job % n_parts * kPart;
    in_side.contract(x.row(b).data(), first, std::min(kPart, rank - first),
                     z.data() + b * rank + first);
  });
  workers.for_each(x.rows() * n_prefixes, [&](std::size_t job) {
    const std::size_t b = job / n_prefixes;
    expand(factors, z.data() + b * rank, job % n_prefixes, y.row(b));
  });
}

double contract_cp_cost(const TensorLayout& layout) {
  double products = 0;
  double count = 1;
  for (const std::size_t size : layout.in_modes) products += count *= static_cast<double>(size);
  count = 1;
  for (std::size_t k = 0; k + 1 < layout.out_modes.size(); ++k) {
    count *= static_cast<double>(layout.out_modes[k]);
  }
  // expand starts again at every prefix
  products += count * static_cast<double>(layout.out_modes.size() - 1) / 2 +
              count * static_cast<double>(layout.out_modes.back());
  return 2 * products * static_cast<double>(layout.ranks[0]);
}

}  // namespace pqw::tensorized
