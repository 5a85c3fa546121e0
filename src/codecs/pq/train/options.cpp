// Options of pq: the table, and what depends on the shape.
#include <fmt/format.h>

#include <algorithm>

#include "codecs/pq/train/effort.h"
#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/initial_centroids.h"
#include "codecs/pq/train/sample.h"
#include "codecs/train/fields.h"
#include "core/subject.h"
#include "pqw/codecs/pq.h"

namespace pqw {
namespace {

std::string refused_by_faiss(const PqOptions& options) {
  if (options.engine == Engine::kNative) return "";
  return "engine=faiss does not support it; use engine=native";
}

bool leaves_to_effort(const PqOptions& options) {
  return options.restarts == 0 || options.iterations == kIterationsByEffort ||
         options.tolerance == kToleranceByEffort;
}

std::string without_iterations(const PqOptions& options) {
  return options.iterations == 0 ? "iterations=0 keeps the initial centroids" : "";
}

}  // namespace

std::size_t auto_block_size(std::span<const std::size_t> shape) {
  constexpr std::size_t kDefault = 8;
  if (shape.size() <= 2) return kDefault;
  const std::span<const std::size_t> kernel = shape.subspan(2);
  const std::size_t area = element_count(kernel);
  if (area == 1) return 4;
  if (kernel.size() == 2 && kernel[0] == 3 && kernel[1] == 3) return 9;
  const std::size_t cols = shape[1] * area;
  for (std::size_t distance = 0; distance < kDefault; ++distance) {
    if (cols % (kDefault - distance) == 0) return kDefault - distance;
    if (cols % (kDefault + distance) == 0) return kDefault + distance;
  }
  return 1;
}

void PqCodec::check(const PqOptions& options) {
  PqOptions::fields().check(options);
  if (options.row_scales != RowScales::kNone && options.engine == Engine::kFaiss) {
    throw invalid_argument("engine=faiss does not support row_scales; use engine=native");
  }
  if (options.lambda > 0 && options.engine == Engine::kFaiss) {
    throw invalid_argument("engine=faiss does not support lambda; use engine=native");
  }
  if (options.lambda > 0 && (options.n_groups != 1 || options.n_additive != 1)) {
    throw invalid_argument("lambda needs groups=1 and additive=1");
  }
  if (options.n_additive > 1 && options.engine == Engine::kFaiss) {
    throw invalid_argument("engine=faiss does not support additive; use engine=native");
  }
}

void PqCodec::resolve(PqOptions& options, std::span<const std::size_t> shape) {
  check(options);
  if (options.block_size == kAutoBlockSize) options.block_size = auto_block_size(shape);
  const MatrixShape matrix = matrix_shape(shape);
  const std::size_t cols = std::max<std::size_t>(1, matrix.cols);
  options.block_size = std::min(options.block_size, cols);  // more would be padding
  const std::size_t positions = (cols - 1) / options.block_size + 1;
  resolve_effort(options,
                 matrix.rows * cols / std::clamp<std::size_t>(options.n_groups, 1, positions));
}

const Fields<PqOptions>& PqOptions::fields() {
  using O = PqOptions;
  using enum DType;
  using enum Engine;
  using enum GainPer;
  using enum Init;
  using enum PqEffort;
  using enum Reassign;
  static const Fields<O> kFields = {
      Field("block_size", &O::block_size, count(1, 1 << 20).or_word("auto", kAutoBlockSize),
            "columns per block, at most a row; auto: 9 for 3x3 conv, 4 for 1x1 conv, the divisor "
            "nearest to 8 for other kernels, 8 for matrices (half the size, but too coarse for "
            "most networks)"),
      Field("centroids", &O::n_centroids, count(2, 65536), "centroids per codebook"),
      Field("groups", &O::n_groups, count(1).or_word("auto", kAutoGroups),
            "codebooks per tensor, each for a run of columns; auto: short trials choose the "
            "number (1, 2, 4, ...) whose lower error is worth the bytes of its codebooks"),
      Field("additive", &O::n_additive, count(1, kMostAdditive),
            "codebooks whose centroids add up to a block, each with a code of its own: 2 with "
            "block_size=8 take the bits of 1 with block_size=4, for less error and more time",
            {.written = [](const O& o) { return o.n_additive > 1; }}),
      Field(
          "effort", &O::effort,
          choice<PqEffort>({{"fast", kFast}, {"default", kDefault}, {"max", kMax}}),
          "how long to search for codebooks: fast takes two thirds of the time of default for 1 % "
          "more error, max four to six times as long for 0.7 % less",
          {.unused =
               [](const O& o) {
                 return either(
                     leaves_to_effort(o) ? "" : "restarts, iterations and tolerance are given",
                     without_iterations(o));
               },
           .written = leaves_to_effort}),
      Field("iterations", &O::iterations, count(0, 1'000'000).or_word("auto", kIterationsByEffort),
            "EM iterations at most; auto: by the effort, 12, 60 or 100"),
      Field("seed", &O::seed, count<std::uint64_t>(), "seed of all random choices"),
      Field("init", &O::init, choice<Init>({{"++", kPlusPlus}, {"random", kRandom}}),
            "initial centroids: k-means++ or uniform",
            {.unused = [](const O& o) { return o.init == kPlusPlus ? refused_by_faiss(o) : ""; }}),
      Field(
          "restarts", &O::restarts, count(0, 1000),
          "number of runs, the best of which is kept; 0: by the effort, 1, or for max 10, 3 or 1, "
          "fewer for larger tensors",
          {.unused = [](const O& o) { return o.restarts > 1 ? without_iterations(o) : ""; }}),
      Field("explore", &O::explore, count(0, 1'000'000'000),
            "init ++: sampled blocks per centroid in the first iterations; the last iterations use "
            "all blocks, and the note of a tensor says so; 0: always all",
            {.unused =
                 [](const O& o) {
                   const char* random = "init=random does not explore; use init=++";
                   return o.explore == 0
                              ? ""
                              : either(refused_by_faiss(o), o.init == kRandom ? random : "");
                 }}),
      Field("reassign", &O::reassign,
            choice<Reassign>({{"split", kSplit}, {"farthest", kFarthest}}),
            "where an empty cluster moves: it splits the largest cluster, or takes the farthest "
            "block",
            {.unused =
                 [](const O& o) { return either(refused_by_faiss(o), without_iterations(o)); }}),
      Field("tolerance", &O::tolerance, share_below_1().or_word("auto", kToleranceByEffort),
            "stop when the objective falls by less than this share; 0: never; auto: by the effort, "
            "1e-3, 4e-4 or 1e-5",
            {.unused =
                 [](const O& o) {
                   return either(o.tolerance > 0 ? refused_by_faiss(o) : "", without_iterations(o));
                 }}),
      Field(
          "lambda", &O::lambda, share_below_1(),
          "the squared error that one bit of a code is worth, as a share of the mean square of the "
          "weights: entropy-constrained EM, whose codes take fewer bits by entropy coding; "
          "0: plain EM. Deep networks may not survive it",
          {.written = [](const O& o) { return o.lambda > 0; }}),
      Field("codebook", &O::codebook_dtype, choice<DType>({{"f16", kF16}, {"f32", kF32}}),
            "type of the stored codebooks"),
      Field("engine", &O::engine, choice<Engine>({{"native", kNative}, {"faiss", kFaiss}}),
            "what learns the codebooks; faiss supports iterations, seed, restarts and init random"),
      Field("gain", &O::gain, gain_values(),
            "a factor on the decoded weights, to keep the amplitude (unbiased), keep the norm "
            "(energy), or make the error least (least_squares)"),
      Field("gain_per", &O::gain_per, choice<GainPer>({{"tensor", kTensor}, {"row", kRow}}),
            "one gain for the tensor, or one for each row, within its row scale",
            {.unused =
                 [](const O& o) {
                   if (o.gain_per != kRow) return "";
                   if (o.gain == Gain::kNone) return "gain=none applies no gain; leave one out";
                   const bool lacks_scales = o.row_scales == RowScales::kNone;
                   return lacks_scales ? "it needs row_scales=log8 or f16" : "";
                 },
             .written = [](const O& o) { return o.gain_per != kTensor; }}),
      Field("row_scales", &O::row_scales,
            choice<RowScales>(
                {{"none", RowScales::kNone}, {"log8", RowScales::kLog8}, {"f16", RowScales::kF16}}),
            "a scale for each row, by which its blocks are divided before they are clustered: a "
            "byte (log8) or float16 per row",
            {.written = [](const O& o) { return o.row_scales != RowScales::kNone; }}),
      Field("entropy_coding", &O::entropy_coding, choice<bool>({{"on", true}, {"off", false}}),
            "store codes and codebooks in as many bits as their frequencies need, where that is "
            "smaller than packed bits; the weights are the same",
            {.written = [](const O& o) { return !o.entropy_coding; }})};
  return kFields;
}

std::string PqCodec::remarks(const PqWeight& weight, const PqOptions& options) {
  std::vector<std::string> found;
  const std::size_t n_blocks = weight.positions() * weight.rows() / weight.n_groups;
  const std::size_t n_explored = sample_size(n_blocks, options);
  if (weight.n_centroids < options.n_centroids) {
    const char* why = options.lambda > 0 ? "{} centroids left" : "only {} distinct blocks";
    found.push_back(fmt::format(fmt::runtime(why), weight.n_centroids));
  } else if (n_explored < n_blocks) {
    found.push_back(fmt::format("explored {} of {} blocks", n_explored, n_blocks));
  }
  if (weight.codebook_dtype != options.codebook_dtype) {
    found.push_back("float32 codebook: beyond the range of float16");
  }
  if (weight.n_groups < options.n_groups) {
    found.push_back(fmt::format("{} groups: one per position", weight.n_groups));
  }
  if (options.init == Init::kPlusPlus && options.engine == Engine::kNative &&
      weight.n_centroids > kMostForPlusPlus) {
    found.push_back(fmt::format("init=random: above {} centroids", kMostForPlusPlus));
  }
  if (const std::string limited = remark_on_gain(weight.gain); !limited.empty()) {
    found.push_back(limited);
  }
  return fmt::format("{}", fmt::join(found, "; "));
}

}  // namespace pqw
