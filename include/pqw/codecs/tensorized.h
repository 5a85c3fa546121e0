// Tensorized weights: a matrix seen as a tensor of many modes and kept as its factors; the value
// type, options and codec.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "pqw/codecs/codec.h"
#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/gain.h"

namespace pqw {

struct TensorizedCodec;

// Row r of the matrix has the digits (i_1, ..., i_n) in the mixed radix (out_1, ..., out_n), the
// last one running fastest; column c has the digits (j_1, ..., j_m) in (in_1, ..., in_m). So the
// matrix is a tensor of n + m modes.
enum class TensorForm {
  // Σ_r A_1[i_1][r] ... A_n[i_n][r] B_1[j_1][r] ... B_m[j_m][r] (canonical polyadic; Kolda and
  // Bader 2009, "Tensor decompositions and applications", section 3).
  kCp,
  // A core tensor times a matrix per mode (Tucker; as above, section 4).
  kTucker,
  // G_1[i_1] ... G_n[i_n] H_1[j_1] ... H_m[j_m], a product of matrices (tensor train; Oseledets
  // 2011, "Tensor-train decomposition", eq. 1.2).
  kTt,
  // G_1[i_1, j_1] ... G_n[i_n, j_n], n = m (TT-matrix, block-TT; Novikov et al. 2015,
  // "Tensorizing neural networks", eq. 3).
  kTtm,
};

// "cp", "tucker", "tt", "ttm"
std::string_view to_string(TensorForm form);

// The modes and ranks of a tensorized matrix. Its sides are padded with zeros to the products of
// their modes; decoding cuts the padding off.
struct TensorLayout {
  TensorForm form = TensorForm::kTt;
  Shape out_modes;           // of the rows of one layer
  Shape in_modes;            // of the columns; as many as out_modes for kTtm
  std::size_t n_layers = 1;  // above 1: so many matrices in one tensor, its first mode counts them

  // kCp: {R}; kTucker: one per mode; kTt, kTtm: one between each two neighbouring cores. Modes in
  // the order: layers if n_layers > 1, rows, columns.
  std::vector<std::size_t> ranks;

  bool operator==(const TensorLayout&) const = default;
};

// The factors of a layout, as matrices, in order. With the modes d_1 ... d_N:
//   kCp       per mode [d_k][R]
//   kTucker   per mode [d_k][r_k], then the core [r of layers and rows][r of columns]
//   kTt       per mode of layers and rows [r_(k-1) d_k][r_k],
//             per mode of columns [r_(k-1)][d_k r_k]
//   kTtm      per pair [r_(k-1) out_k][in_k r_k]
//
// where r_0 = r_N = 1. Errors: kInvalidArgument for an invalid layout: a mode or rank of zero, a
// wrong number of ranks, unpaired modes or layers of kTtm, sizes that overflow.
std::vector<MatrixShape> factor_shapes(const TensorLayout& layout);

// The sum of the sizes of all factors.
std::size_t parameter_count(const TensorLayout& layout);

// How to multiply. The ways differ by rounding only.
enum class TensorForward {
  kCheaper,        // whichever needs fewer operations
  kFactorized,     // contracts the input with one factor after the other, never forming W
  kReconstructed,  // forms W, then multiplies
};

struct TensorizedWeight : WeightHead {
  using Codec = TensorizedCodec;

  TensorLayout layout = {};
  std::size_t layer = 0;  // index of this weight among the layout's n_layers

  // The shapes are factor_shapes(layout); each factor may have any codec. Layers of one
  // tensor share the factors.
  std::shared_ptr<const std::vector<Weight>> factors = {};

  TensorForward forward = TensorForward::kCheaper;  // of its product; not stored
};

// The sizes of the factors. One of:
// - sizes = {r}: the rank of kCp; for the other forms every rank is r, or less if a smaller rank
//   is enough;
// - sizes = {...}: each rank, as in TensorLayout (kTt and kTtm: without the ranks 1 at the ends);
// - no sizes: the largest ranks whose factors have at most `fraction` of the parameters of the
//   dense matrix, or 1 if even ranks of 1 have more.
//   - kCp: R = floor(fraction * dense / Σ d_k).
//   - kTucker: the ranks nearest to x d_k with one x for all, then each rank in turn raised by 1
//     while that fits.
//   - kTt and kTtm: one rank for all, raised in the same way, but none larger than useful.
//   TensorLy (Kossaifi et al. 2019) does the same for CP and Tucker; its trains scale with the
//   modes.
struct TensorRank {
  std::vector<std::size_t> sizes = {};
  double fraction = 0.1;  // in (0, 1]

  bool operator==(const TensorRank&) const = default;
};

struct TensorizedOptions {
  using Codec = TensorizedCodec;
  static constexpr const char* kCodec = "tensorized";
  static const Fields<TensorizedOptions>& fields();  // a row for each option below

  TensorForm form = TensorForm::kTt;
  std::size_t n_modes = 3;  // of each side, if its modes are not given
  Shape out_modes = {};     // of the rows: rows <= their product < 2 * rows
  Shape in_modes = {};      // of the columns: cols <= their product < 2 * cols
  TensorRank rank = TensorRank();
  std::size_t iterations = 50;  // sweeps of kCp and kTucker at most
  std::size_t restarts = 0;     // of kCp: starts, the best is kept; 0: 3 for ranks < 512, else 1
  double tolerance = 1e-4;      // stop when the relative error falls by less in a sweep
  std::uint64_t seed = 0;       // of the starts of kCp
  FactorOptions factors = {};   // how the factors are kept; plain unless they say otherwise
  // Tensors of a file with the same label and equal shape, type and options become the layers of
  // one joint tensor (src/compress/plan.h). A single tensor is encoded as if it had no label.
  std::string joint = {};
  // Of the decomposition: a factor on one of the factors, besides the gains of encoded factors.
  Gain gain = Gain::kNone;

  bool operator==(const TensorizedOptions&) const = default;
};

// The modes of a side where none are given. The number of modes is n_modes, or less for a small
// side, so that each is 2 or more (a side of 1 has one mode of 1). The side is padded to the first
// size that is a product of that many modes, each at most twice the root of the side; the
// factorisation with the smallest sum counts. The modes rise: 768 -> 8, 8, 12; 97 -> 2, 7, 7 (98).
// The padded side is at most twice as long.
Shape balanced_modes(std::size_t side, std::size_t n_modes);

// The layout of a matrix with these options. kTtm: the side with fewer modes gets modes of 1 in
// front. Errors: kInvalidArgument for modes or ranks that do not fit.
TensorLayout make_layout(MatrixShape matrix, std::size_t n_layers,
                         const TensorizedOptions& options);

// Decoded elements beyond the range of float become the largest float. Members of the record: the
// section `layout` U64, and `factor0`, `factor1`, ... A plain factor is a section of its type and
// shape, any other factor is a part. Members: codec.h.
struct TensorizedCodec : CodecBase<TensorizedCodec, TensorizedWeight, TensorizedOptions> {
  static void decode_rows(const TensorizedWeight& weight, std::size_t first, MutableMatrix out);
  static std::size_t parameter_count(const TensorizedWeight& weight);
  static std::string summary(const TensorizedWeight& weight);
  static Record to_record(const TensorizedWeight& weight, const std::string& name);
  static TensorizedWeight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(TensorizedWeight weight,
                                                     const ServeOptions& options);

  static void check(const TensorizedOptions& options);
  static void resolve(TensorizedOptions& options, std::span<const std::size_t> shape);
  static bool is_sure(const TensorizedOptions& options);
  static bool is_placeholder(const TensorizedOptions& options);
  static std::optional<WeightSize> size_by_shape(const TensorInfo& tensor,
                                                 const TensorizedOptions& options);
  static TensorizedWeight encode(const FloatTensor& prepared, const TensorizedOptions& options,
                                 const EncodeContext& context);
  static std::string remarks(const TensorizedWeight& weight, const TensorizedOptions& options);
};

// Layers of equal shape as one tensor; they share its factors. For one tensor, n_layers is 1.
// Deterministic on any number of threads. Errors: kInvalidArgument for no layers, unequal shapes
// or an empty matrix; those of make_layout; kUnsupported when LAPACK does not converge.
std::vector<TensorizedWeight> encode_joint(std::span<const FloatTensor> layers,
                                           const TensorizedOptions& options,
                                           const EncodeContext& context = {});

// The size of the first of n_layers joint layers like this one; the first layer stores the factors
// of all. Empty if only encode_joint can tell it. Errors: those of make_layout.
std::optional<WeightSize> joint_size(const TensorInfo& layer, std::size_t n_layers,
                                     const TensorizedOptions& options);

// A layer without factors of its own: the section `shared_with` U8 names the tensor that has them.
Record to_record_sharing(const TensorizedWeight& weight, const std::string& name,
                         const std::string& owner);
std::optional<std::string> shared_with(const Record& record);  // that name; empty for other records
TensorizedWeight tensorized_from_record(const Record& record, const TensorizedWeight& owner);

}  // namespace pqw
