// Options of low_rank: the table, and what depends on the shape.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codecs/train/fields.h"
#include "codecs/train/gain.h"
#include "core/subject.h"
#include "pqw/codecs/low_rank.h"

namespace pqw {
namespace {

bool has_energy(const LowRankOptions& o) { return o.rank == 0 && o.energy > 0; }

std::string draws_nothing(const LowRankOptions& o) {
  if (o.energy > 0) return "energy needs all singular values, which svd=full finds";
  return o.init == LowRankInit::kZeros ? "init=zeros decomposes nothing" : "";
}

}  // namespace

const Fields<LowRankOptions>& LowRankOptions::fields() {
  using O = LowRankOptions;
  using enum LowRankEnergy;
  using enum LowRankInit;
  using enum SvdMethod;
  static const Fields<O> kFields = {
      Field("rank", &O::rank, count(1).or_none(0),
            "rank of the factors; of rank, dim_ratio and energy the last one given counts",
            {.then = [](O& o) { o.energy = 0; }}),
      Field("dim_ratio", &O::dim_ratio, share().or_none(0),
            "the rank as a share of the smaller side of the matrix",
            {.written = [](const O& o) { return o.rank == 0 && o.energy == 0; },
             .then = [](O& o) { o.rank = 0, o.energy = 0; }}),
      Field("energy", &O::energy, share().or_none(0),
            "the smallest rank that keeps this share of the squared singular values",
            {.written = has_energy, .then = [](O& o) { o.rank = 0; }}),
      Field("energy_of", &O::energy_of,
            choice<LowRankEnergy>({{"squares", kSquares}, {"values", kValues}}),
            "energy is a share of the squared singular values, or of the values",
            {.unused =
                 [](const O& o) { return o.energy > 0 ? "" : "it has an effect only with energy"; },
             .written = has_energy}),
      Field("init", &O::init, choice<LowRankInit>({{"spectral", kSpectral}, {"zeros", kZeros}}),
            "factors from the singular value decomposition, or factors of zeros to be trained "
            "elsewhere"),
      Field("svd", &O::svd,
            choice<SvdMethod>({{"auto", kAuto}, {"full", kFull}, {"randomized", kRandomized}}),
            "how singular values are found; auto: randomized for ranks up to an eighth of the "
            "smaller side, else full",
            {.unused =
                 [](const O& o) {
                   return o.energy > 0 && o.svd != kRandomized ? "" : draws_nothing(o);
                 }}),
      Field("seed", &O::seed, count<std::uint64_t>(), "seed of the random vectors",
            {.unused =
                 [](const O& o) {
                   return either(draws_nothing(o),
                                 o.svd == kFull ? "svd=full uses no random numbers" : "");
                 }}),
      Field("gain", &O::gain, gain_values(),
            "a factor on the product, for what the decomposition drops; factors.gain is for the "
            "rounding of factors",
            {.unused =
                 [](const O& o) {
                   const bool zeros = o.init == kZeros && o.gain != Gain::kNone;
                   return zeros ? "init=zeros decomposes nothing" : "";
                 },
             .written = [](const O& o) { return o.gain != Gain::kNone; }})};
  return kFields;
}

void LowRankCodec::check(const LowRankOptions& options) {
  LowRankOptions::fields().check(options);
  if (options.rank == 0 && options.dim_ratio == 0 && options.energy == 0) {
    throw invalid_argument("low_rank needs one of rank, dim_ratio and energy");
  }
}

void LowRankCodec::resolve(LowRankOptions& options, std::span<const std::size_t> shape) {
  check(options);
  const MatrixShape matrix = matrix_shape(shape);
  const std::size_t side = std::min(matrix.rows, matrix.cols);
  if (options.rank == 0 && options.energy == 0) {
    options.rank =
        static_cast<std::size_t>(std::llround(options.dim_ratio * static_cast<double>(side)));
    options.rank = std::max<std::size_t>(1, options.rank);
  }
  if (options.rank > 0)
    options.rank = std::clamp<std::size_t>(options.rank, 1, std::max<std::size_t>(1, side));
  options.dim_ratio = 0;  // not needed any more: equal ranks are equal options
}

std::string LowRankCodec::obstacle(const LowRankOptions& options,
                                   std::span<const std::size_t> shape) {
  const MatrixShape matrix = matrix_shape(shape);
  const std::size_t sides = matrix.rows + matrix.cols;
  if (options.rank == 0 || options.rank * sides < matrix.rows * matrix.cols) return "";
  return fmt::format("factors of rank {} are as large as {} x {}", options.rank, matrix.rows,
                     matrix.cols);
}

}  // namespace pqw
