// Low-rank weights: rank, factors, and the factors' own encoding.
#include "pqw/codecs/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codecs/low_rank/train/truncated_svd.h"
#include "codecs/train/factor_gain.h"
#include "codecs/train/fields.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

using linear_algebra::Matrix;
using linear_algebra::multiply;
using linear_algebra::Op;

constexpr const char* kShares = "kept_squares=";

Matrix to_double(ConstMatrix w) {
  Matrix matrix(w.rows(), w.cols());
  for (std::size_t r = 0; r < w.rows(); ++r)
    std::ranges::copy(w.row(r), &matrix.values[r * w.cols()]);
  return matrix;
}

bool plain_factors(const LowRankOptions& options) {
  return std::holds_alternative<PlainOptions>(*options.factors);
}

std::size_t rank_of_energy(const std::vector<double>& s, const LowRankOptions& options) {
  const auto part = [&](double value) {
    return options.energy_of == LowRankEnergy::kSquares ? value * value : value;
  };
  double all = 0;
  for (const double value : s) all += part(value);
  double kept = 0;
  for (std::size_t rank = 1; rank <= s.size(); ++rank) {
    kept += part(s[rank - 1]);
    if (kept >= options.energy * all) return rank;
  }
  return s.size();  // where rounding leaves the sum below all of it
}

TruncatedSvd decompose(const Matrix& w, const LowRankOptions& options) {
  constexpr std::size_t kRandomizedShare = 8;  // of the smaller side, at most 1 / it
  const std::size_t side = std::min(w.rows, w.cols);
  const bool small = options.rank * kRandomizedShare <= side;
  const bool randomized =
      options.svd == SvdMethod::kRandomized || (options.svd == SvdMethod::kAuto && small);
  if (options.rank > 0 && randomized) return randomized_svd(w, options.rank, options.seed);
  TruncatedSvd svd = full_svd(w);
  keep(svd, options.rank > 0 ? options.rank : rank_of_energy(svd.s, options));
  return svd;
}

void take_factors(const TruncatedSvd& svd, LowRankFactors& factors) {
  const std::size_t rank = svd.s.size(), rows = svd.u.rows, cols = svd.vt.cols;
  for (std::size_t k = 0; k < rank; ++k) {
    const double scale = std::sqrt(svd.s[k]);
    for (std::size_t r = 0; r < rows; ++r) {
      factors.outer[r * rank + k] = static_cast<float>(svd.u(r, k) * scale);
    }
    for (std::size_t c = 0; c < cols; ++c) {
      factors.inner[k * cols + c] = static_cast<float>(svd.vt(k, c) * scale);
    }
  }
}

void take_shares(const TruncatedSvd& svd, LowRankFactors& factors) {
  double kept_squares = 0, kept_values = 0;
  for (const double s : svd.s) {
    kept_squares += s * s;
    kept_values += s;
  }
  const auto share = [](double part, double all) {
    return all > 0 ? std::min(1.0, part / all) : 1;
  };
  factors.share_of_squares = share(kept_squares, svd.all_squares);
  factors.share_of_values = svd.all_values ? share(kept_values, *svd.all_values) : -1;
}

std::string options_text(const LowRankFactors& factors, const LowRankOptions& options) {
  std::string text = LowRankOptions::fields().text(options);
  if (options.init == LowRankInit::kZeros) return text;
  text += fmt::format(",{}{:.4f}", kShares, factors.share_of_squares);
  if (factors.share_of_values >= 0)
    text += fmt::format(",kept_values={:.4f}", factors.share_of_values);
  return text;
}

// Factors are of the type of the original, but no wider than float32.
FloatTensor factor_tensor(const char* name, const LowRankFactors& factors, Shape shape,
                          std::vector<float> values) {
  const DType dtype = factors.info.dtype == DType::kF64 ? DType::kF32 : factors.info.dtype;
  return {{name, dtype, std::move(shape)}, std::move(values)};
}

FloatTensor outer_tensor(const LowRankFactors& factors, std::vector<float> values) {
  return factor_tensor("outer", factors, {matrix_shape(factors.info.shape).rows, factors.rank},
                       std::move(values));
}

FloatTensor inner_tensor(const LowRankFactors& factors) {
  return factor_tensor("inner", factors, {factors.rank, matrix_shape(factors.info.shape).cols},
                       factors.inner);
}

LowRankWeight make_weight(const LowRankFactors& factors, const LowRankOptions& options,
                          Weight outer, Weight inner) {
  LowRankWeight weight;
  weight.shape = factors.info.shape;
  weight.dtype = factors.info.dtype;
  weight.options = options_text(factors, options);
  weight.outer = std::make_shared<const Weight>(std::move(outer));
  weight.inner = std::make_shared<const Weight>(std::move(inner));
  return weight;
}

// The outer factor that best fits the encoded inner factor V̂: U = W V̂ᵀ (V̂ V̂ᵀ)⁻¹. If V̂ has lost
// rank, this U does not exist, and the outer factor stays as it was.
std::vector<float> refitted(const LowRankFactors& factors, const Weight& encoded_inner) {
  const MatrixShape matrix = matrix_shape(factors.info.shape);
  std::vector<float> values(factors.inner.size());
  decode_rows(encoded_inner, 0, {values.data(), factors.rank, matrix.cols});
  const Matrix inner = to_double({values.data(), factors.rank, matrix.cols});
  const Matrix w = to_double({factors.weight.data(), matrix.rows, matrix.cols});
  Matrix outer = multiply(w, Op::kNone, inner, Op::kTransposed);
  if (!linear_algebra::solve_positive(multiply(inner, Op::kNone, inner, Op::kTransposed), outer)) {
    return factors.outer;
  }
  std::vector<float> result(outer.values.begin(), outer.values.end());
  const bool finite = std::ranges::all_of(result, [](float value) { return std::isfinite(value); });
  return finite ? result : factors.outer;
}

// Only the gain of the outer factor matters: that factor is fitted to the inner one after the gain
// of the inner one.
void limit_gain(const LowRankFactors& factors, LowRankWeight& weight) {
  if (factors.weight.empty() || !std::holds_alternative<PqWeight>(*weight.outer)) return;
  GainSums sums;
  add_product(
      {factors.weight.data(), weight.rows(), weight.cols()},
      [&](std::size_t first, MutableMatrix rows) { decode_rows(weight, first, rows); }, sums);
  weight.outer = std::make_shared<const Weight>(with_gain(*weight.outer, product_gain(sums)));
}

}  // namespace

LowRankFactors prepare(FloatTensor tensor, const LowRankOptions& options) {
  const MatrixShape matrix = matrix_shape(tensor.info.shape);
  if (matrix.rows == 0 || matrix.cols == 0) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("tensor '{}': a matrix without elements has no rank", tensor.info.name));
  }
  LowRankFactors factors;
  factors.info = tensor.info;
  const bool spectral = options.init == LowRankInit::kSpectral;
  TruncatedSvd svd;
  if (spectral || options.rank == 0) svd = decompose(to_double(tensor.matrix()), options);
  factors.rank = options.rank > 0 ? options.rank : svd.s.size();
  factors.outer.resize(matrix.rows * factors.rank);
  factors.inner.resize(factors.rank * matrix.cols);
  if (!spectral) return factors;
  take_factors(svd, factors);
  take_shares(svd, factors);
  if (!plain_factors(options)) factors.weight = std::move(tensor.values);
  return factors;
}

LowRankWeight plan_weight(const LowRankFactors& factors, const LowRankOptions& options) {
  return make_weight(factors, options,
                     plan_weight(outer_tensor(factors, factors.outer), *options.factors),
                     plan_weight(inner_tensor(factors), *options.factors));
}

LowRankWeight encode(const LowRankFactors& factors, const LowRankOptions& options,
                     EmObserver* observer) {
  Weight inner = encode(inner_tensor(factors), *options.factors, observer);
  Weight outer = encode(
      outer_tensor(factors, factors.weight.empty() ? factors.outer : refitted(factors, inner)),
      *options.factors, observer);
  LowRankWeight weight = make_weight(factors, options, std::move(outer), std::move(inner));
  limit_gain(factors, weight);
  return weight;
}

std::string remarks(const LowRankWeight& weight, const LowRankOptions& options) {
  if (options.init == LowRankInit::kZeros) return "init=zeros: factors of zeros, to be trained";
  const std::size_t shares = weight.options.find(kShares);
  std::string text = shares == std::string::npos ? "" : weight.options.substr(shares);
  const Weight* factors[] = {weight.outer.get(), weight.inner.get()};
  const std::string gains = remark_on_gains(factors);
  return text + (text.empty() || gains.empty() ? "" : "; ") + gains;
}

}  // namespace pqw
