// Options of low_rank: the table, and what depends on the shape.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codecs/train/fields.h"
#include "pqw/codecs/low_rank_encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

Values<double> share() { return number({.low = 0, .high = 1, .low_open = true}).or_none(0); }

bool has_energy(const LowRankOptions& o) { return o.rank == 0 && o.energy > 0; }

std::string draws_nothing(const LowRankOptions& o) {
  if (o.energy > 0) return "energy needs all singular values, which svd=full finds";
  return o.init == LowRankInit::kZeros ? "init=zeros decomposes nothing" : "";
}

}  // namespace

// Of rank, dim_ratio and energy, the last one that is set counts.
const Fields<LowRankOptions>& LowRankOptions::fields() {
  using O = LowRankOptions;
  static const Fields<O> kFields = {
      Field("rank", &O::rank, count(1).or_none(0), "rank of the factors").then([](O& o) {
        o.energy = 0;
      }),
      Field("dim_ratio", &O::dim_ratio, share(),
            "the rank as a share of the smaller side of the matrix")
          .then([](O& o) { o.rank = 0, o.energy = 0; })
          .written_if([](const O& o) { return o.rank == 0 && o.energy == 0; }),
      Field("energy", &O::energy, share(),
            "the smallest rank that keeps this share of the squared singular values")
          .then([](O& o) { o.rank = 0; })
          .written_if(has_energy),
      Field("energy_of", &O::energy_of,
            choice<LowRankEnergy>(
                {{"squares", LowRankEnergy::kSquares}, {"values", LowRankEnergy::kValues}}),
            "energy is a share of the squares of singular values, or of their values")
          .unless(
              [](const O& o) { return o.energy == 0 ? "it has an effect only with energy" : ""; })
          .written_if(has_energy),
      Field("init", &O::init,
            choice<LowRankInit>(
                {{"spectral", LowRankInit::kSpectral}, {"zeros", LowRankInit::kZeros}}),
            "factors from the singular value decomposition, or factors of zeros to be trained "
            "elsewhere"),
      Field("svd", &O::svd,
            choice<SvdMethod>({{"auto", SvdMethod::kAuto},
                               {"full", SvdMethod::kFull},
                               {"randomized", SvdMethod::kRandomized}}),
            "how singular values are found; auto: randomized for ranks up to an eighth of the "
            "smaller side, else full")
          .unless([](const O& o) {
            const bool finds_all = o.energy > 0 && o.svd != SvdMethod::kRandomized;
            return finds_all ? "" : draws_nothing(o);
          }),
      Field("seed", &O::seed, count<std::uint64_t>(), "seed of the random vectors")
          .unless([](const O& o) {
            const std::string why = draws_nothing(o);
            const bool full = why.empty() && o.svd == SvdMethod::kFull;
            return full ? "svd=full draws nothing at random" : why;
          })};
  return kFields;
}

void validate(const LowRankOptions& options) {
  LowRankOptions::fields().check(options);
  if (options.rank > 0 || options.dim_ratio > 0 || options.energy > 0) return;
  throw Error(ErrorCode::kInvalidArgument, "low_rank needs one of rank, dim_ratio and energy");
}

std::string to_string(const LowRankOptions& options) {
  return LowRankOptions::fields().text(options);
}

void set_option(LowRankOptions& options, std::string_view key, std::string_view value) {
  LowRankOptions::fields().set(options, key, value);
}

std::string unused(const LowRankOptions& options, std::string_view key) {
  return LowRankOptions::fields().unused(options, key);
}

void resolve(LowRankOptions& options, std::span<const std::size_t> shape) {
  validate(options);
  const MatrixShape matrix = matrix_shape(shape);
  const std::size_t side = std::min(matrix.rows, matrix.cols);
  if (options.rank == 0 && options.energy == 0) {
    options.rank =
        static_cast<std::size_t>(std::llround(options.dim_ratio * static_cast<double>(side)));
    options.rank = std::max<std::size_t>(1, options.rank);
  }
  if (options.rank > 0)
    options.rank = std::clamp<std::size_t>(options.rank, 1, std::max<std::size_t>(1, side));
}

std::string obstacle(const LowRankOptions& options, std::span<const std::size_t> shape) {
  const MatrixShape matrix = matrix_shape(shape);
  const std::size_t sides = matrix.rows + matrix.cols;
  if (options.rank == 0 || options.rank * sides < matrix.rows * matrix.cols) return "";
  return fmt::format("factors of rank {} are as large as {} x {}", options.rank, matrix.rows,
                     matrix.cols);
}

}  // namespace pqw
