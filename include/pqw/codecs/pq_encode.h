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

#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/pq.h"

namespace pqw {

enum class Engine {
  kNative,  // our own EM
  kFaiss,   // the k-means of FAISS on all blocks, from random ones, then our final E-step; of
            // several runs the best by our objective
};

enum class Init {
  // Greedy k-means++ on a subsample, then EM that explores before it settles: in the first three
  // fifths of the iterations M-steps overshoot the means and centroids that help little move to
  // where they help more. Above 4096 centroids, where this is too slow, uniform draws and
  // overshoot.
  kPlusPlus,
  kRandom,  // distinct blocks, drawn uniformly, then plain EM
};

enum class Reassign {
  kSplit,     // an empty cluster gets half of the most populated one that can be divided
  kFarthest,  // it gets the block that is farthest from its centroid
};

// A factor for all codebooks of a tensor. With ŵ the weights that the codes stand for: k-means
// makes means, and means are shorter than what they stand for, so that a layer of ŵ answers with
// less than the layer of w would, by the factor <w,ŵ> / ‖w‖² (the amplitude), and a deep network
// multiplies these factors. The first restores the amplitude and not the length, the last gives the
// smallest error. Of one tensor they never rise in this order.
enum class Gain {
  kUnbiased,      // ‖w‖² / <w,ŵ>: <w,ŵ> becomes ‖w‖²
  kEnergy,        // ‖w‖ / ‖ŵ‖: ‖ŵ‖ becomes ‖w‖
  kLeastSquares,  // <w,ŵ> / ‖ŵ‖²: the least ‖w - ŵ‖; of means this is 1, but for rounding
};

// A block size that resolve() chooses by the shape.
inline constexpr std::size_t kAutoBlockSize = 0;

struct PqOptions {
  static constexpr const char* kCodec = "pq";

  std::size_t block_size = 4;     // columns per block, or kAutoBlockSize
  std::size_t n_centroids = 256;  // per codebook, 2..65536; fewer are made of fewer distinct blocks
  std::size_t n_groups = 1;       // codebooks, each for a run of positions; at most one a position
  std::size_t iterations = 20;    // EM iterations at most; 0 keeps the initial centroids
  std::uint64_t seed = 0;         // of the initial centroids
  Init init = Init::kPlusPlus;    // how they are chosen
  std::size_t restarts = 0;       // runs of which the best counts; 0: 10, 3 or 1 by size
  // Blocks per centroid on which init ++ explores. A codebook of at least twice as many blocks (and
  // without importances) settles on all of them, in the last two fifths of the iterations. 0: all.
  std::size_t explore = 1024;
  Reassign reassign = Reassign::kSplit;
  double tolerance = 1e-4;             // stop when the objective falls by less than this share
  DType codebook_dtype = DType::kF16;  // F16 or F32; F16 gives way to F32 where it would not hold
  Engine engine = Engine::kNative;
  Gain gain = Gain::kUnbiased;  // less, where it would leave a relative error of 1 or more
};

// Throws Error(kInvalidArgument) unless every field is in its range.
void validate(const PqOptions& options);

// The block size that kAutoBlockSize stands for: 9 for 3x3 kernels, 4 for 1x1 kernels, for other
// kernels the divisor of in*k... nearest to 8 (the smaller of two), 8 for matrices.
std::size_t auto_block_size(std::span<const std::size_t> shape);

// Settles what depends on the shape: the block size, which is no longer than a row. Does nothing
// the second time.
void resolve(PqOptions& options, std::span<const std::size_t> shape);

// "block_size=4,centroids=256,groups=1,iterations=20,seed=0,init=++,restarts=0,explore=1024,
// reassign=split,tolerance=0.0001,codebook=f16,engine=native,gain=unbiased" (in one line)
std::string to_string(const PqOptions& options);

// Sets one of the options above by its name and text; block_size may be "auto".
// Errors: kInvalidArgument.
void set_option(PqOptions& options, std::string_view key, std::string_view value);

// Why an option has no effect beside the others: those that engine=faiss does not have, of init=++
// with init=random, of iterations where there are none. Empty when it has one.
std::string unused(const PqOptions& options, std::string_view key);

// One EM iteration as it was: the objective is Σ‖x - c(x)‖² over the blocks after the E-step, with
// the weights of PqImportance where there are any.
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
// many distinct blocks; the codebook type is F32 in place of F16 when the weights are too large
// (with room for the gain) or too small for it. Errors: kInvalidArgument.
PqWeight plan_weight(const Blocks& blocks, const PqOptions& options);

// What turned out otherwise than the options say: fewer centroids or groups, another codebook type
// or init, a codebook that was not explored on all blocks, a smaller gain; empty when nothing did.
std::string remarks(const PqWeight& weight, const PqOptions& options);

// How much the weights of a row or a column matter: the objective becomes
// Σ_rc rows[r] columns[c] (W[r][c] - Ŵ[r][c])². Importances are >= 0 and finite; zeros are legal.
// Column importances are what second moments of activations give.
struct PqImportance {
  std::span<const float> rows = {};     // [rows], or empty: all 1
  std::span<const float> columns = {};  // [cols], or empty: all 1
};

// Learns the codebooks and assigns the codes: exact k-means EM, weighted if `importance` says so.
// Then the gain multiplies the codebooks, and the codes stay; its sums have the same weights. The
// options of the weight end with what came of it: ",gain_factor=1.1034,gain_limit=none".
// Deterministic: the result depends on the arguments, not on the number of threads nor on the
// instruction set beyond float rounding. Always ends within options.iterations iterations a run.
// REQUIRES: blocks.block_size == options.block_size, as prepare has it.
// Errors: kInvalidArgument, also for importances of other sizes, negative or not finite, and for
// importances with the faiss engine; kUnsupported when that engine fails.
PqWeight encode(const Blocks& blocks, const PqOptions& options, EmObserver* observer = nullptr,
                const PqImportance& importance = {});

// Resolves the options, cuts and encodes a float matrix; the result has the shape [rows, cols] and
// the type F32.
PqWeight encode(ConstMatrix w, const PqOptions& options, EmObserver* observer = nullptr,
                const PqImportance& importance = {});

}  // namespace pqw
