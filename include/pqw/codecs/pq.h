// Product-quantized weights: the value type, options and codec.
//
// Blocks are clustered by k-means EM as in P. Stock et al., "And the Bit Goes Down: Revisiting the
// Quantization of Neural Networks" (ICLR 2020), without activation weights: E-step = nearest
// centroid, M-step = mean, empty clusters reassigned by splitting a populated one.
#pragma once

#include <cstdint>
#include <vector>

#include "pqw/codecs/codec.h"
#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/gain.h"

namespace pqw {

struct PqCodec;

// The type in which an archive stores the scales of rows.
enum class RowScales {
  kNone,  // rows have no scales
  // A byte: code c stands for 2^((c - 239) / 16), and code 0 for 0. So neighbours differ by 4.4 %,
  // the smallest scale above 0 is 2^-14.875, and the largest is 2.
  kLog8,
  kF16,
};

// Each row is cut into blocks of d = block_size columns; the last block is padded with zeros. A
// code replaces each block by a centroid of a codebook. Position p of a row covers the columns
// p*d .. p*d+d-1. The positions are split into n_groups runs of nearly equal length, each with
// n_additive codebooks of its own. With additive codebooks (n_additive > 1), a block has one code
// in each of them, and is the sum of these centroids, added in order (A. Babenko, V. Lempitsky,
// "Additive quantization for extreme vector compression", CVPR 2014). With row scales, the blocks
// of row r are multiplied by row_scales[r], and each product is rounded once to float.
struct PqWeight : WeightHead {
  using Codec = PqCodec;

  std::size_t block_size = 0;
  std::size_t n_additive = 1;
  std::size_t n_groups = 1;
  std::size_t n_centroids = 0;         // per codebook
  DType codebook_dtype = DType::kF16;  // every codebook value is exact in this type: F16 or F32
  RowScales row_scale_type = RowScales::kNone;
  // Whether an archive stores codes entropy-coded where that is smaller than packing their bits.
  bool entropy_coding = true;
  AppliedGain gain = {};  // set by the encoder; not read from archives

  // Layout: [n_additive][n_groups][n_centroids][block_size]: centroid k of group g in codebook m
  // starts at ((m * n_groups + g) * n_centroids + k) * block_size.
  std::vector<float> codebooks = {};

  // Layout: [n_additive][positions][rows], position-major: the code of row r at position p in
  // codebook m is (m * positions + p) * rows + r. Every code is < n_centroids.
  std::vector<std::uint16_t> codes = {};

  // [rows], or empty without scales. Each one is finite, 0 or more, and exact in its type.
  std::vector<float> row_scales = {};

  std::size_t positions() const { return (cols() + block_size - 1) / block_size; }

  // The codes of all rows at a position, in codebook 0: [rows].
  std::span<const std::uint16_t> codes_of(std::size_t position) const;
};

// The first position of a group; group n_groups ends at n_positions.
std::size_t first_position(std::size_t group, std::size_t n_groups, std::size_t n_positions);

// The group of each position: [max(positions, n_padded)]. Positions past the end of a row belong to
// the last group.
std::vector<std::uint32_t> group_of_positions(const PqWeight& weight, std::size_t n_padded = 0);

enum class Engine {
  kNative,  // our own EM
  kFaiss,   // the k-means of FAISS on all blocks, from random centroids, then our final E-step;
            // the best of several runs by our objective
};

enum class Init {
  // Greedy k-means++ on a subsample, then EM that explores first: in the first three fifths of the
  // iterations, M-steps go beyond the means (over-relaxation), and centroids that help little move
  // to a place where they help more. k-means++ is too slow for more than 4096 centroids: then
  // uniform draws and over-relaxation.
  kPlusPlus,
  kRandom,  // distinct blocks, drawn uniformly, then plain EM
};

// The effort of the search for codebooks. It sets restarts, iterations and tolerance where they are
// not given. At block 4 and 256 centroids, kFast takes two thirds of the time of kDefault for 1 %
// more error, kMax four to six times as long for 0.7 % less.
enum class PqEffort { kFast, kDefault, kMax };

enum class Reassign {
  kSplit,     // an empty cluster gets half of the most populated one that can be divided
  kFarthest,  // it gets the block that is farthest from its centroid
};

// The part of a weight that has a gain of its own.
enum class GainPer {
  kTensor,  // one factor on all codebooks
  // A factor on the scale of each row, which is then rounded to its type, and one on the codebooks,
  // which makes up for the rounding. Without row scales there is only the factor on the codebooks.
  kRow,
};

// The largest number of additive codebooks.
inline constexpr std::size_t kMostAdditive = 4;

// A block size that resolve() chooses by the shape.
inline constexpr std::size_t kAutoBlockSize = 0;

// A number of groups that preparing the blocks chooses by short runs.
inline constexpr std::size_t kAutoGroups = 0;

// Values that resolve() replaces by the effort.
inline constexpr std::size_t kIterationsByEffort = static_cast<std::size_t>(-1);
inline constexpr double kToleranceByEffort = -1;

struct PqOptions {
  using Codec = PqCodec;
  static constexpr const char* kCodec = "pq";
  static const Fields<PqOptions>& fields();  // a row for each option below

  std::size_t block_size = 4;  // columns per block, or kAutoBlockSize
  // Per codebook, 2..65536; fewer if there are fewer distinct blocks.
  std::size_t n_centroids = 256;
  // Codebooks, each for a run of positions, at most one per position; or kAutoGroups.
  std::size_t n_groups = 1;
  // Codebooks whose centroids add up to a block, 1..kMostAdditive; see PqWeight.
  std::size_t n_additive = 1;
  PqEffort effort = PqEffort::kDefault;
  // EM iterations at most; 0 keeps the initial centroids.
  std::size_t iterations = kIterationsByEffort;
  std::uint64_t seed = 0;       // of the initial centroids
  Init init = Init::kPlusPlus;  // how the initial centroids are chosen
  std::size_t restarts = 0;     // number of runs, the best is kept; 0: by the effort
  // Blocks per centroid in the sample on which init ++ explores. It samples if the tensor has at
  // least twice as many blocks, and no importances of columns; the last two fifths of the
  // iterations then use all blocks. 0: no sample.
  std::size_t explore = 512;
  Reassign reassign = Reassign::kSplit;
  // Stop when the objective falls by less than this share.
  double tolerance = kToleranceByEffort;
  // The squared error that one bit of a code is worth, as a share of the mean square of the
  // weights: entropy-constrained EM (P. Chou, T. Lookabaugh, R. Gray, "Entropy-constrained vector
  // quantization", 1989). Common codes become more common, so that entropy coding makes the codes
  // shorter. 0: only the error counts. Above 0 it needs n_groups = 1, n_additive = 1 and the native
  // engine.
  double lambda = 0;
  DType codebook_dtype = DType::kF16;  // F16 or F32; F32 if the range of F16 is too small
  Engine engine = Engine::kNative;
  Gain gain = Gain::kUnbiased;  // limited if the relative error would be 1 or more
  GainPer gain_per = GainPer::kTensor;
  RowScales row_scales = RowScales::kNone;  // only the native engine supports them
  bool entropy_coding = true;               // of the values in the archive; the weight is the same

  bool operator==(const PqOptions&) const = default;
};

// The block size that kAutoBlockSize stands for: 9 for 3x3 kernels, 4 for 1x1 kernels, for other
// kernels the divisor of in*k... nearest to 8 (the smaller of two), 8 for matrices.
std::size_t auto_block_size(std::span<const std::size_t> shape);

// The blocks of a weight. Layout: float[positions][rows][block_size], zero-padded tails.
struct Blocks {
  Shape shape;
  DType dtype = DType::kF32;
  std::size_t block_size = 0;
  std::vector<float> values;

  std::size_t count() const { return values.size() / block_size; }
};

// Cuts a tensor into blocks. Errors: kInvalidArgument for a block size of 0.
Blocks cut_blocks(const FloatTensor& tensor, std::size_t block_size);

// The same for a float matrix. Errors: as above; kNonFinite.
Blocks cut_blocks(ConstMatrix w, std::size_t block_size);

// The blocks of a weight, and the weight without its codebooks and codes, which are not learned
// yet. If the weight has row scales, the blocks are divided by them.
struct PqPrepared {
  Blocks blocks;
  PqWeight unlearned;
};

// A row scale is the root mean square of the row, relative to the largest one in the tensor,
// rounded to its type. So the codebooks have the magnitude of the largest row. The scale is 0, and
// the row decodes to zeros, if all its weights are 0 or if the scale is too small for its type.
// REQUIRES: options are resolved, blocks.block_size == options.block_size.
// Errors: kInvalidArgument.
PqPrepared prepare_blocks(Blocks blocks, const PqOptions& options);

// Learns the codebooks and assigns the codes: exact k-means EM, weighted by importances and by the
// squares of row scales, so that its objective is the squared error of the weights.
// Then the gain multiplies the codebooks or the row scales; the codes stay. The sums of the gain
// are weighted by the importances, too. The options of the weight end with the gain:
// ",gain_factor=1.1034,gain_limit=none". Always ends within options.iterations iterations a run;
// with lambda, some dozen more follow.
// With statistics of inputs, the importances of columns are the second moments of the inputs. With
// their Gram matrix, codes and codebooks keep the outputs of the layer as in
// GPTVQ (M. van Baalen et al., "GPTVQ: The Blessing of Dimensionality for LLM Quantization", 2024),
// and there is no gain. This needs OpenBLAS, and memory for two more copies of the Gram matrix in
// double. Errors: kInvalidArgument for statistics of other columns or with values that are not
// finite, and with importances of columns or the faiss engine; those of loading OpenBLAS.
// n_centroids is options.n_centroids, or less if no group has that many distinct blocks; the
// codebook type is F32 in place of F16 if the weights, with room for the gain, are too large for
// F16, or if they are too small for it. Errors: kInvalidArgument for importances of other sizes,
// negative or not finite, and with the faiss engine; kUnsupported when that engine fails.
// Sections: `codebooks` F16 or F32 [G][K][d], `codes` U8, the bit stream of core/bit_packing.h with
// bits_for(K) bits a code, and with the feature `row_scales` the section of that name, U8 or F16
// [rows]. With the feature `entropy_coded` the section of that name, U8, in place of codes and of
// other values (docs/archive_format.md). Its size is known only after encoding; without it, sizes
// of prepared weights are upper bounds. Members: codec.h.
struct PqCodec : CodecBase<PqCodec, PqWeight, PqOptions> {
  using Prepared = PqPrepared;

  static void decode_rows(const PqWeight& weight, std::size_t first, MutableMatrix out);
  static std::string summary(const PqWeight& weight);
  static Record to_record(const PqWeight& weight, const std::string& name);
  static PqWeight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(PqWeight weight, const ServeOptions& options);

  static void check(const PqOptions& options);
  static void resolve(PqOptions& options, std::span<const std::size_t> shape);
  static bool is_sure(const PqOptions& options);
  static constexpr bool kTakesImportances = true;
  static std::optional<WeightSize> size_by_shape(const TensorInfo& tensor,
                                                 const PqOptions& options);
  static PqPrepared prepare(FloatTensor tensor, const PqOptions& options);
  static std::optional<WeightSize> size(const PqPrepared& prepared, const PqOptions& options);
  static PqWeight encode(const PqPrepared& prepared, const PqOptions& options,
                         const EncodeContext& context);
  static std::string remarks(const PqWeight& weight, const PqOptions& options);
};

// Resolves the options, cuts and encodes a float matrix; the result has the shape [rows, cols] and
// the type F32.
PqWeight pq_from_float(ConstMatrix w, PqOptions options = {}, const EncodeContext& context = {});

}  // namespace pqw
