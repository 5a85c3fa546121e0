// Encoding weights as tensorized ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/tensorized.h"

namespace pqw {

class EmObserver;

// How large the factors are. One of:
// - sizes = {r}: the rank of kCp; for the other forms every rank is r, or as large as it can be
//   useful where that is less;
// - sizes = {...}: each rank, as in TensorLayout (kTt and kTtm: without the ranks 1 at the ends);
// - no sizes: the largest ranks whose factors have at most `fraction` of the parameters of the
// dense
//   matrix, or 1 if even ranks of 1 have more. kCp: R = floor(fraction * dense / Σ d_k); kTucker:
//   the ranks nearest to x d_k with one x for all, then one more of each in turn; kTt and kTtm: the
//   same rank for all, then likewise, but none larger than useful. (TensorLy, Kossaifi et al. 2019,
//   does the same for CP and Tucker; its trains scale with the modes.)
struct TensorRank {
  std::vector<std::size_t> sizes = {};
  double fraction = 0.1;  // in (0, 1]

  bool operator==(const TensorRank&) const = default;
};

struct TensorizedOptions {
  static constexpr const char* kCodec = "tensorized";
  static const Fields<TensorizedOptions>& fields();  // a row for each option below

  TensorForm form = TensorForm::kTt;
  std::size_t n_modes = 3;  // of each side, where its modes are not given
  Shape out_modes = {};     // of the rows; their product is at least the rows and below twice that
  Shape in_modes = {};      // of the columns, likewise
  TensorRank rank = TensorRank();
  std::size_t iterations = 50;  // sweeps of kCp and kTucker at most
  std::size_t restarts = 0;  // of kCp: starts of which the best counts; 0: 3 for a rank below 512,
                             // else 1
  double tolerance = 1e-4;   // stop when the relative error falls by less in a sweep
  std::uint64_t seed = 0;    // of the starts of kCp
  FactorOptions factors = {};  // how the factors are kept; plain unless they say otherwise
  // The tensors of a file that have the same label, and else are alike, become the layers of one
  // tensor (pipeline/plan.h). One tensor by itself is encoded as without any.
  std::string joint = {};

  bool operator==(const TensorizedOptions&) const = default;
};

// The modes of a side where none are given. The number of modes is n_modes, or less for a small
// side, so that each is 2 or more (a side of 1 has one mode of 1). Of the sizes from `side` up, the
// first one counts that is a product of that many modes of at most twice the root of the side; of
// its factorisations the one with the smallest sum. Rising. 768 -> 8, 8, 12; 97 -> 2, 7, 7 (98).
// So every side has modes, and at most as much padding again as it is long.
Shape balanced_modes(std::size_t side, std::size_t n_modes);

// The layout of a matrix under these options. kTtm: the side of fewer modes gets modes of 1 in
// front. Errors: kInvalidArgument for modes or ranks that do not fit.
TensorLayout make_layout(MatrixShape matrix, std::size_t n_layers,
                         const TensorizedOptions& options);

// Layers of equal shape as one tensor; they share its factors. For one tensor, n_layers is 1.
// Deterministic on any number of threads. Errors: kInvalidArgument for none, for unequal shapes, an
// empty matrix, and those of make_layout; kUnsupported when LAPACK does not converge.
std::vector<TensorizedWeight> encode_joint(std::span<const FloatTensor> layers,
                                           const TensorizedOptions& options,
                                           EmObserver* observer = nullptr);

// What encode_joint will make of that many layers like this one, as plan_weight tells of one: layer
// 0, the others differ in TensorizedWeight::layer. Errors: those of make_layout.
TensorizedWeight plan_joint(const TensorInfo& layer, std::size_t n_layers,
                            const TensorizedOptions& options);

// The stages that every codec has (encode.h).
void check(const TensorizedOptions& options);  // kInvalidArgument for a label with form ttm
void resolve(TensorizedOptions& options, std::span<const std::size_t> shape);
FloatTensor prepare(FloatTensor tensor, const TensorizedOptions& options);
TensorizedWeight plan_weight(const FloatTensor& tensor, const TensorizedOptions& options);
TensorizedWeight encode(const FloatTensor& tensor, const TensorizedOptions& options,
                        EmObserver* observer = nullptr);

// Says if even ranks of 1 have more parameters than asked for, or if a gain of the factors is
// limited; else empty.
std::string remarks(const TensorizedWeight& weight, const TensorizedOptions& options);

}  // namespace pqw
