// Finding the factors of low-rank weights: the singular value decomposition W = U diag(s) Vᵀ cut
// off after its largest values, which is the best approximation of that rank in the Frobenius norm
// (C. Eckart and G. Young, "The approximation of one matrix by another of lower rank", 1936). Both
// factors are scaled by the square roots of the singular values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/low_rank.h"

namespace pqw {

class EmObserver;

enum class LowRankInit {
  kSpectral,  // from the singular value decomposition
  kZeros,     // factors of zeros in the right shape, to be trained elsewhere
};

// What `energy` is a share of.
enum class LowRankEnergy {
  kSquares,  // Σ s² of the values kept, of all: 1 - the relative error of the weight
  kValues,   // Σ s
};

enum class SvdMethod {
  kAuto,        // kRandomized for ranks up to an eighth of the smaller side, else kFull
  kFull,        // LAPACK
  kRandomized,  // an orthonormal basis found with random vectors (randomized_svd.h)
};

struct LowRankOptions {
  static constexpr const char* kCodec = "low_rank";
  static const Fields<LowRankOptions>& fields();  // a row for each option below

  // One of the three says the rank; of those that are set_option the last one counts.
  std::size_t rank = 0;     // 1 or more; at most the smaller side
  double dim_ratio = 0.25;  // in (0, 1]: of the smaller side, rounded to the nearest, at least 1
  double energy = 0;        // in (0, 1]: the smallest rank whose share of ...
  LowRankEnergy energy_of = LowRankEnergy::kSquares;  // ... this reaches it

  LowRankInit init = LowRankInit::kSpectral;
  SvdMethod svd = SvdMethod::kAuto;
  std::uint64_t seed = 0;      // of the random vectors
  FactorOptions factors = {};  // how the factors are kept; plain unless they say otherwise

  bool operator==(const LowRankOptions&) const = default;
};

// Fills in the rank, unless it follows from the energy.
void resolve(LowRankOptions& options, std::span<const std::size_t> shape);

// Why factors of that rank are not smaller: rank * (rows + cols) >= rows * cols. Empty if they are
// smaller, or if the rank is not known yet. REQUIRES: resolved options.
std::string obstacle(const LowRankOptions& options, std::span<const std::size_t> shape);

// A weight and its factors, not encoded yet.
struct LowRankFactors {
  TensorInfo info;
  std::vector<float>
      weight;                // [rows][cols]; empty where the factors are plain: nothing is refitted
  std::vector<float> outer;  // [rows][rank]
  std::vector<float> inner;  // [rank][cols]
  std::size_t rank = 0;
  double share_of_squares = 0;  // of the values kept
  double share_of_values = 0;   // the same; negative where the others are not known (kRandomized)
};

// The stages that every codec has (encode.h). The inner factor is encoded first. If that changes
// it to V̂, the outer factor is fitted to V̂ by least squares of ‖W - U V̂‖ (see encode.cpp).
LowRankFactors prepare(FloatTensor tensor, const LowRankOptions& options);
LowRankWeight plan_weight(const LowRankFactors& factors, const LowRankOptions& options);
LowRankWeight encode(const LowRankFactors& factors, const LowRankOptions& options,
                     EmObserver* observer = nullptr);

// Which shares of the singular values are kept, or that the factors are zeros; then whether a gain
// of the factors is limited.
std::string remarks(const LowRankWeight& weight, const LowRankOptions& options);

}  // namespace pqw
