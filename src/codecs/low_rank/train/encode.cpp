// Low-rank weights: rank, factors, and the factors' own encoding.
#include "pqw/codecs/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codecs/float_range.h"
#include "codecs/low_rank/train/truncated_svd.h"
#include "codecs/low_rank/value/factors.h"
#include "codecs/record_checks.h"
#include "codecs/train/factor_gain.h"
#include "codecs/train/fields.h"

namespace pqw {
namespace {

using linear_algebra::Matrix;
using linear_algebra::multiply;
using linear_algebra::Op;

constexpr const char* kOfZeros = "init=zeros: factors of zeros, to be trained";

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

bool is_randomized(std::size_t side, const LowRankOptions& options) {
  constexpr std::size_t kRandomizedShare = 8;  // of the smaller side, at most 1 / it
  const bool small = options.rank * kRandomizedShare <= side;
  return options.svd == SvdMethod::kRandomized || (options.svd == SvdMethod::kAuto && small);
}

TruncatedSvd decompose(const Matrix& w, const LowRankOptions& options) {
  if (options.rank > 0 && is_randomized(std::min(w.rows, w.cols), options)) {
    return randomized_svd(w, options.rank, options.seed);
  }
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

KeptShares shares_of(const TruncatedSvd& svd) {
  double kept_squares = 0, kept_values = 0;
  for (const double s : svd.s) {
    kept_squares += s * s;
    kept_values += s;
  }
  const auto share = [](double part, double all) {
    return all > 0 ? std::min(1.0, part / all) : 1;
  };
  return {share(kept_squares, svd.all_squares),
          svd.all_values ? share(kept_values, *svd.all_values) : -1};
}

// "kept_squares=0.9876,kept_values=0.8765"; empty if nothing is known.
std::string text_of(const KeptShares& kept) {
  if (kept.squares < 0) return "";
  std::string text = fmt::format("kept_squares={:.4f}", kept.squares);
  if (kept.values >= 0) text += fmt::format(",kept_values={:.4f}", kept.values);
  return text;
}

// The singular vectors are at right angles: <w,ŵ> = ‖ŵ‖², the share kept.
AppliedGain gain_of(const KeptShares& kept, const LowRankOptions& options) {
  return choose_gain({1, kept.squares, kept.squares}, options.gain);
}

WeightHead head_of(const TensorInfo& info, const KeptShares& kept, const LowRankOptions& options) {
  const std::string shares = text_of(kept);
  return {info.shape, info.dtype,
          LowRankOptions::fields().text(options) + (shares.empty() ? "" : ",") + shares +
              (options.gain == Gain::kNone ? "" : gain_text(gain_of(kept, options)))};
}

// Factors are of the type of the original, but no wider than float32.
TensorInfo factor_info(const char* name, const TensorInfo& info, MatrixShape shape) {
  const DType dtype = info.dtype == DType::kF64 ? DType::kF32 : info.dtype;
  return {name, dtype, {shape.rows, shape.cols}};
}

TensorInfo outer_info(const TensorInfo& info, std::size_t rank) {
  return factor_info(kOuter, info, {matrix_shape(info.shape).rows, rank});
}

TensorInfo inner_info(const TensorInfo& info, std::size_t rank) {
  return factor_info(kInner, info, {rank, matrix_shape(info.shape).cols});
}

Encoding encoding_of(TensorInfo info, std::vector<float> values, const LowRankOptions& options) {
  return Encoding({std::move(info), std::move(values)}, *options.factors);
}

// The size of the whole from those of the factors, if they are known.
std::optional<WeightSize> size_from(const TensorInfo& info, std::size_t rank,
                                    const KeptShares& kept, const LowRankOptions& options,
                                    std::optional<WeightSize> outer,
                                    std::optional<WeightSize> inner) {
  if (!outer || !inner) return std::nullopt;
  WeightSize size;
  size.record = record_of(LowRankCodec::kName, head_of(info, kept, options), info.name);
  size.summary = low_rank_summary(rank, {{kOuter, outer->record.codec, outer->summary},
                                         {kInner, inner->record.codec, inner->summary}});
  add_part(size.record, kOuter, std::move(outer->record));
  add_part(size.record, kInner, std::move(inner->record));
  size.n_parameters = outer->n_parameters + inner->n_parameters;
  size.inner_width = rank;
  size.remarks = options.init == LowRankInit::kZeros ? kOfZeros : text_of(kept);
  return size;
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
  const ConstMatrix original(factors.weight.data(), weight.rows(), weight.cols());
  add_product(original, sums, [&](std::size_t first, MutableMatrix rows) {
    LowRankCodec::decode_rows(weight, first, rows);
  });
  weight.outer = std::make_shared<const Weight>(with_gain(*weight.outer, product_gain(sums)));
}

}  // namespace

LowRankFactors LowRankCodec::prepare(FloatTensor tensor, const LowRankOptions& options) {
  const MatrixShape matrix = matrix_shape(tensor.info.shape);
  if (matrix.rows == 0 || matrix.cols == 0) {
    throw tensor_subject(tensor.info.name).error("a matrix without elements has no rank");
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
  factors.kept = shares_of(svd);
  if (!plain_factors(options)) factors.weight = std::move(tensor.values);
  return factors;
}

// The texts of shares are all as long as these.
std::optional<WeightSize> LowRankCodec::size_by_shape(const TensorInfo& tensor,
                                                      const LowRankOptions& options) {
  if (options.rank == 0) return std::nullopt;
  const MatrixShape matrix = matrix_shape(tensor.shape);
  KeptShares kept;
  if (options.init == LowRankInit::kSpectral) {
    kept = {0, is_randomized(std::min(matrix.rows, matrix.cols), options) ? -1.0 : 0.0};
  }
  return size_from(tensor, options.rank, kept, options,
                   pqw::size_by_shape(outer_info(tensor, options.rank), *options.factors),
                   pqw::size_by_shape(inner_info(tensor, options.rank), *options.factors));
}

// Learned factors have their final values after this only. Zeros stay zeros.
std::optional<WeightSize> LowRankCodec::size(const LowRankFactors& factors,
                                             const LowRankOptions& options) {
  const TensorInfo outer = outer_info(factors.info, factors.rank);
  const TensorInfo inner = inner_info(factors.info, factors.rank);
  if (options.init == LowRankInit::kZeros) {
    return size_from(factors.info, factors.rank, factors.kept, options,
                     encoding_of(outer, factors.outer, options).size(),
                     encoding_of(inner, factors.inner, options).size());
  }
  return size_from(factors.info, factors.rank, factors.kept, options,
                   pqw::size_by_shape(outer, *options.factors),
                   pqw::size_by_shape(inner, *options.factors));
}

LowRankWeight LowRankCodec::encode(const LowRankFactors& factors, const LowRankOptions& options,
                                   const EncodeContext& given) {
  const EncodeContext context{.observer =
                                  given.observer};  // inputs are of the weight, not of factors
  const std::size_t rank = factors.rank;
  LowRankWeight weight{head_of(factors.info, factors.kept, options)};
  weight.kept = factors.kept;
  weight.inner = std::make_shared<const pqw::Weight>(
      encoding_of(inner_info(factors.info, rank), factors.inner, options).encode(context));
  std::vector<float> outer =
      factors.weight.empty() ? factors.outer : refitted(factors, *weight.inner);
  if (options.gain != Gain::kNone) {
    const double gain = gain_of(factors.kept, options).factor;
    for (float& value : outer) value = saturated(gain * value);
  }
  weight.outer = std::make_shared<const pqw::Weight>(
      encoding_of(outer_info(factors.info, rank), std::move(outer), options).encode(context));
  limit_gain(factors, weight);
  return weight;
}

// Plain factors are the best of their rank, and zeros are asked for.
bool LowRankCodec::is_sure(const LowRankOptions& options) {
  return options.init == LowRankInit::kZeros || plain_factors(options);
}

bool LowRankCodec::is_placeholder(const LowRankOptions& options) {
  return options.init == LowRankInit::kZeros || pqw::is_placeholder(*options.factors);
}

std::string LowRankCodec::remarks(const LowRankWeight& weight, const LowRankOptions& options) {
  if (options.init == LowRankInit::kZeros) return kOfZeros;
  const std::string shares = text_of(weight.kept);
  const pqw::Weight* factors[] = {weight.outer.get(), weight.inner.get()};
  const std::string gains = remark_on_gains(factors);
  return shares + (shares.empty() || gains.empty() ? "" : "; ") + gains;
}

}  // namespace pqw
