// Options of low-rank weights: ranges, names and texts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "codecs/train/option_text.h"
#include "pqw/codecs/low_rank_encode.h"

namespace pqw {
namespace {

constexpr const char* kShare = "a number above 0, at most 1";

double parse_share(std::string_view key, std::string_view value) {
  const auto share = parse_number<double>(key, value, kShare);
  if (!(share > 0 && share <= 1)) bad_value(key, value, kShare);
  return share;
}

std::string_view to_string(SvdMethod method) {
  if (method == SvdMethod::kAuto) return "auto";
  return method == SvdMethod::kFull ? "full" : "randomized";
}

}  // namespace

void validate(const LowRankOptions& options) {
  const auto require = [](bool ok, const char* message) {
    if (!ok) throw Error(ErrorCode::kInvalidArgument, message);
  };
  require(options.dim_ratio >= 0 && options.dim_ratio <= 1,
          "dim_ratio: expected a number above 0, at most 1");
  require(options.energy >= 0 && options.energy <= 1,
          "energy: expected a number above 0, at most 1");
  require(options.rank > 0 || options.dim_ratio > 0 || options.energy > 0,
          "low_rank needs one of rank, dim_ratio and energy");
}

std::string to_string(const LowRankOptions& options) {
  std::string rank = fmt::format("rank={}", options.rank);
  if (options.rank == 0 && options.energy == 0)
    rank = fmt::format("dim_ratio={}", options.dim_ratio);
  if (options.rank == 0 && options.energy > 0) {
    rank = fmt::format("energy={},energy_of={}", options.energy,
                       options.energy_of == LowRankEnergy::kSquares ? "squares" : "values");
  }
  return fmt::format("{},init={},svd={},seed={}", rank,
                     options.init == LowRankInit::kSpectral ? "spectral" : "zeros",
                     to_string(options.svd), options.seed);
}

void set_option(LowRankOptions& options, std::string_view key, std::string_view value) {
  if (key == "rank") {
    options.rank = parse_number<std::size_t>(key, value, kWholeNumber);
    if (options.rank == 0) bad_value(key, value, "1 or more");
    options.energy = 0;
  } else if (key == "dim_ratio") {
    options.dim_ratio = parse_share(key, value);
    options.rank = 0;
    options.energy = 0;
  } else if (key == "energy") {
    options.energy = parse_share(key, value);
    options.rank = 0;
  } else if (key == "energy_of") {
    options.energy_of = parse_word<LowRankEnergy>(
        key, value, {{"squares", LowRankEnergy::kSquares}, {"values", LowRankEnergy::kValues}});
  } else if (key == "init") {
    options.init = parse_word<LowRankInit>(
        key, value, {{"spectral", LowRankInit::kSpectral}, {"zeros", LowRankInit::kZeros}});
  } else if (key == "svd") {
    options.svd = parse_word<SvdMethod>(key, value,
                                        {{"auto", SvdMethod::kAuto},
                                         {"full", SvdMethod::kFull},
                                         {"randomized", SvdMethod::kRandomized}});
  } else if (key == "seed") {
    options.seed = parse_number<std::uint64_t>(key, value, kWholeNumber);
  } else {
    unknown_option(
        LowRankOptions::kCodec, key,
        {"rank", "dim_ratio", "energy", "energy_of", "init", "svd", "seed", "factors.KEY"});
  }
}

std::string unused(const LowRankOptions& options, std::string_view key) {
  if (key == "energy_of" && options.energy == 0) return "it has an effect only with energy";
  if (key != "svd" && key != "seed") return "";
  if (options.energy > 0) {
    const bool used = key == "svd" && options.svd != SvdMethod::kRandomized;
    return used ? "" : "energy needs all singular values, which svd=full finds";
  }
  if (options.init == LowRankInit::kZeros) return "init=zeros decomposes nothing";
  if (key == "seed" && options.svd == SvdMethod::kFull) return "svd=full draws nothing at random";
  return "";
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
