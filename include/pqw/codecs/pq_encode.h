// Learning the codebooks of product-quantized weights.
//
// Blocks are clustered by k-means EM as in P. Stock et al., "And the Bit Goes Down: Revisiting the
// Quantization of Neural Networks" (ICLR 2020), without activation weights: E-step = nearest
// centroid, M-step = mean, empty clusters reassigned by splitting a populated one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/pq.h"

namespace pqw {

enum class Engine {
  kNative,  // our own EM
  kFaiss,   // the k-means of FAISS on all blocks, from random centroids, then our final E-step;
            // the best of several runs by our objective
};

enum class Init {
  // Greedy k-means++ on a subsample, then EM that explores before it settles: in the first three
  // fifths of the iterations M-steps go beyond the means (over-relaxation), and centroids that help
  // little move to where they help more. Above 4096 centroids, where k-means++ is too slow, uniform
  // draws and over-relaxation.
  kPlusPlus,
  kRandom,  // distinct blocks, drawn uniformly, then plain EM
};

enum class Reassign {
  kSplit,     // an empty cluster gets half of the most populated one that can be divided
  kFarthest,  // it gets the block that is farthest from its centroid
};

// One factor on all codebooks of a tensor. Centroids are means, and a mean has a smaller norm than
// the blocks it stands for. So the outputs of a layer with the decoded weights ŵ shrink by the
// factor <w,ŵ> / ‖w‖² (the amplitude), and the factors of all layers of a deep network multiply.
// kUnbiased restores the amplitude, kEnergy the norm, and kLeastSquares gives the smallest error.
// On any tensor, kUnbiased >= kEnergy >= kLeastSquares.
enum class Gain {
  kUnbiased,  // ‖w‖² / <w,ŵ>: <w,ŵ> becomes ‖w‖²
  kEnergy,    // ‖w‖ / ‖ŵ‖: ‖ŵ‖ becomes ‖w‖
  kLeastSquares,  // <w,ŵ> / ‖ŵ‖²: the least ‖w - ŵ‖; for means this is 1, except for rounding
};

// A block size that resolve() chooses by the shape.
inline constexpr std::size_t kAutoBlockSize = 0;

struct PqOptions {
  static constexpr const char* kCodec = "pq";
  static const Fields<PqOptions>& fields();  // a row for each option below

  std::size_t block_size = 4;  // columns per block, or kAutoBlockSize
  std::size_t n_centroids =
      256;                      // per codebook, 2..65536; fewer if there are fewer distinct blocks
  std::size_t n_groups = 1;     // codebooks, each for a run of positions; at most one per position
  std::size_t iterations = 20;  // EM iterations at most; 0 keeps the initial centroids
  std::uint64_t seed = 0;       // of the initial centroids
  Init init = Init::kPlusPlus;  // how they are chosen
  std::size_t restarts = 0;     // number of runs, the best is kept; 0: 10, 3 or 1 by size
  // Blocks per centroid in the sample on which init ++ explores. It takes a sample if there are at
  // least twice as many blocks and no importances; the last two fifths of the iterations then use
  // all blocks. 0: no sample.
  std::size_t explore = 1024;
  Reassign reassign = Reassign::kSplit;
  double tolerance = 1e-4;             // stop when the objective falls by less than this share
  DType codebook_dtype = DType::kF16;  // F16 or F32; F32 replaces F16 if its range is too small
  Engine engine = Engine::kNative;
  Gain gain = Gain::kUnbiased;  // limited if the relative error would be 1 or more

  bool operator==(const PqOptions&) const = default;
};

// The block size that kAutoBlockSize stands for: 9 for 3x3 kernels, 4 for 1x1 kernels, for other
// kernels the divisor of in*k... nearest to 8 (the smaller of two), 8 for matrices.
std::size_t auto_block_size(std::span<const std::size_t> shape);

// Fills in what depends on the shape: the block size, at most a row. A second call changes nothing.
void resolve(PqOptions& options, std::span<const std::size_t> shape);

// What happened in one EM iteration: the objective is Σ‖x - c(x)‖² over the blocks after the
// E-step, with the weights of PqImportance where there are any.
struct EmIteration {
  std::size_t group = 0;
  std::size_t restart = 0;
  std::size_t iteration = 0;
  std::size_t n_blocks = 0;  // of the sample, or all
  double objective = 0;
  std::size_t n_reassigned = 0;  // empty clusters that were given a new centroid
};

class EmObserver {
 public:
  virtual ~EmObserver() = default;
  // Called from the encoding thread, in order. An exception ends the encoding and passes through.
  virtual void on_iteration(const EmIteration& iteration) = 0;
};

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

// One of the stages that every codec has (encode.h): the blocks, of options.block_size columns.
Blocks prepare(FloatTensor tensor, const PqOptions& options);

// The weight that encode will make of these blocks, with codebooks and codes of zeros: it tells the
// size without the learning. n_centroids is options.n_centroids, or less when no group has that
// many distinct blocks; the codebook type is F32 in place of F16 when the weights, with room for
// the gain, are too large for F16, or when they are too small for it. Errors: kInvalidArgument.
PqWeight plan_weight(const Blocks& blocks, const PqOptions& options);

// How the weight differs from what the options ask for: fewer centroids or groups, another codebook
// type or init, a codebook that was explored on a sample, a limited gain. Empty if it does not.
std::string remarks(const PqWeight& weight, const PqOptions& options);

// How much the weights of a row or a column matter: the objective becomes
// Σ_rc rows[r] columns[c] (W[r][c] - Ŵ[r][c])². Importances are >= 0 and finite; zeros are legal.
// Column importances are what second moments of activations give.
struct PqImportance {
  std::span<const float> rows = {};     // [rows], or empty: all 1
  std::span<const float> columns = {};  // [cols], or empty: all 1
};

// Learns the codebooks and assigns the codes: exact k-means EM, weighted if `importance` says so.
// Then the gain multiplies the codebooks; the codes stay. The sums of the gain are weighted by the
// importances, too. The options of the weight end with the gain:
// ",gain_factor=1.1034,gain_limit=none". Deterministic: the result depends on the arguments, not on
// the number of threads nor on the instruction set beyond float rounding. Always ends within
// options.iterations iterations a run. REQUIRES: blocks.block_size == options.block_size, as
// prepare has it. Errors: kInvalidArgument, also for importances of other sizes, negative or not
// finite, and for importances with the faiss engine; kUnsupported when that engine fails.
PqWeight encode(const Blocks& blocks, const PqOptions& options, EmObserver* observer = nullptr,
                const PqImportance& importance = {});

// Resolves the options, cuts and encodes a float matrix; the result has the shape [rows, cols] and
// the type F32.
PqWeight encode(ConstMatrix w, const PqOptions& options, EmObserver* observer = nullptr,
                const PqImportance& importance = {});

}  // namespace pqw
