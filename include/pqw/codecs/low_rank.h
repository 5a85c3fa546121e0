// Weights of low rank: the value type, options and codec.
#pragma once

#include <cstdint>
#include <vector>

#include "pqw/codecs/codec.h"
#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/gain.h"

namespace pqw {

struct LowRankCodec;

// The shares of the singular values that the factors keep; negative if unknown.
struct KeptShares {
  double squares = -1;  // Σ s² of the values kept, over Σ s² of all
  double values = -1;   // the same of Σ s; unknown after kRandomized, which does not find all s
};

// W ≈ U V: a layer with `rank` outputs (inner, V), then a layer with `rank` inputs (outer, U); see
// E. Denton et al., "Exploiting Linear Structure Within Convolutional Networks for Efficient
// Evaluation" (NIPS 2014). [out, in, k...] is seen as [out, in*k*...]. The bias of the layer
// belongs to the outer one.
struct LowRankWeight : WeightHead {
  using Codec = LowRankCodec;

  // Of any codec, never null; copies of a weight share them.
  std::shared_ptr<const Weight> outer = {};  // [rows, rank]
  std::shared_ptr<const Weight> inner = {};  // [rank, cols]

  KeptShares kept = {};  // set by the encoder; not read from archives

  std::size_t rank() const;
};

enum class LowRankInit {
  kSpectral,  // from the singular value decomposition
  kZeros,     // factors of zeros in the right shape, to be trained elsewhere
};

// The sum over the singular values s that `energy` is a share of.
enum class LowRankEnergy {
  kSquares,  // Σ s²; the share of the values kept is 1 - the relative error of the weight
  kValues,   // Σ s
};

enum class SvdMethod {
  kAuto,        // kRandomized for ranks up to an eighth of the smaller side, else kFull
  kFull,        // LAPACK
  kRandomized,  // an orthonormal basis found with random vectors (low_rank/train/truncated_svd.h)
};

struct LowRankOptions {
  using Codec = LowRankCodec;
  static constexpr const char* kCodec = "low_rank";
  static const Fields<LowRankOptions>& fields();  // a row for each option below

  // One of these three gives the rank: `rank` if it is not 0, else `energy` if it is not 0, else
  // `dim_ratio`. As texts, the last one given counts.
  std::size_t rank = 0;     // 1 or more; at most the smaller side
  double dim_ratio = 0.25;  // in (0, 1]: of the smaller side, rounded to the nearest, at least 1
  double energy = 0;        // in (0, 1]: the smallest rank whose share of ...
  LowRankEnergy energy_of = LowRankEnergy::kSquares;  // ... this reaches it

  LowRankInit init = LowRankInit::kSpectral;
  SvdMethod svd = SvdMethod::kAuto;
  std::uint64_t seed = 0;      // of the random vectors
  FactorOptions factors = {};  // how the factors are kept; plain unless they say otherwise
  // Of the decomposition: a factor on the outer factor, besides the gains of encoded factors. None,
  // because the directions that are left have their full length.
  Gain gain = Gain::kNone;

  bool operator==(const LowRankOptions&) const = default;
};

// A weight and its factors, not encoded yet.
struct LowRankFactors {
  TensorInfo info;
  // [rows][cols]; empty if the factors are plain, because nothing is fitted then.
  std::vector<float> weight;
  std::vector<float> outer;  // [rows][rank]
  std::vector<float> inner;  // [rank][cols]
  std::size_t rank = 0;
  KeptShares kept;
};

// The singular value decomposition W = U diag(s) Vᵀ, cut off after its largest values, is the best
// approximation of that rank in the Frobenius norm (C. Eckart and G. Young, "The approximation of
// one matrix by another of lower rank", 1936). Both factors are scaled by the square roots of the
// singular values. The inner factor is encoded first. If that changes it to V̂, the outer factor is
// fitted to V̂ by least squares of ‖W - U V̂‖ (low_rank/train/encode.cpp).
// Decoding forms the inner factor once per call. Elements beyond the range of float become the
// largest float. Members of the record: `outer` and `inner`, each a section if it is plain, else a
// part. Members: codec.h.
struct LowRankCodec : CodecBase<LowRankCodec, LowRankWeight, LowRankOptions> {
  using Prepared = LowRankFactors;

  static void decode_rows(const LowRankWeight& weight, std::size_t first, MutableMatrix out);
  static std::size_t parameter_count(const LowRankWeight& weight);
  static std::string summary(const LowRankWeight& weight);
  static Record to_record(const LowRankWeight& weight, const std::string& name);
  static LowRankWeight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(LowRankWeight weight,
                                                     const ServeOptions& options);

  static void check(const LowRankOptions& options);
  static void resolve(LowRankOptions& options, std::span<const std::size_t> shape);
  static std::string obstacle(const LowRankOptions& options, std::span<const std::size_t> shape);
  static bool is_sure(const LowRankOptions& options);
  static bool is_placeholder(const LowRankOptions& options);
  static std::optional<WeightSize> size_by_shape(const TensorInfo& tensor,
                                                 const LowRankOptions& options);
  static LowRankFactors prepare(FloatTensor tensor, const LowRankOptions& options);
  static std::optional<WeightSize> size(const LowRankFactors& prepared,
                                        const LowRankOptions& options);
  static LowRankWeight encode(const LowRankFactors& prepared, const LowRankOptions& options,
                              const EncodeContext& context);
  static std::string remarks(const LowRankWeight& weight, const LowRankOptions& options);
};

}  // namespace pqw
