// Options of the encoder: ranges, names and texts.
#include <fmt/format.h>

#include <algorithm>

#include "codecs/pq/train/gain.h"
#include "codecs/pq/train/initial_centroids.h"
#include "codecs/pq/train/sample.h"
#include "codecs/train/option_text.h"
#include "pqw/codecs/pq_encode.h"

namespace pqw {
namespace {

std::string_view to_string(Gain gain) {
  if (gain == Gain::kUnbiased) return "unbiased";
  return gain == Gain::kEnergy ? "energy" : "least_squares";
}

std::size_t parse_block_size(std::string_view key, std::string_view value) {
  if (value == "auto") return kAutoBlockSize;
  const auto block_size = parse_number<std::size_t>(
      key, value, "a whole number or auto" + did_you_mean(value, {"auto"}));
  if (block_size == 0) bad_value(key, value, "1 to 1048576 or auto");
  return block_size;
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

void resolve(PqOptions& options, std::span<const std::size_t> shape) {
  validate(options);
  if (options.block_size == kAutoBlockSize) options.block_size = auto_block_size(shape);
  const std::size_t cols = std::max<std::size_t>(1, matrix_shape(shape).cols);
  options.block_size = std::min(options.block_size, cols);  // more would be padding
}

void validate(const PqOptions& options) {
  const auto require = [](bool ok, const std::string& message) {
    if (!ok) throw Error(ErrorCode::kInvalidArgument, message);
  };
  require(options.block_size <= (1u << 20),
          fmt::format("block_size={}: expected 1 to 1048576 or auto", options.block_size));
  require(options.n_centroids >= 2 && options.n_centroids <= 65536,
          fmt::format("centroids={}: expected 2 to 65536", options.n_centroids));
  require(options.n_groups >= 1, "groups=0: expected 1 or more");
  require(options.iterations <= 1'000'000,
          fmt::format("iterations={}: expected 0 to 1000000", options.iterations));
  require(options.restarts <= 1000,
          fmt::format("restarts={}: expected 0 to 1000", options.restarts));
  require(options.explore <= 1'000'000'000,
          fmt::format("explore={}: expected 0 to 1000000000", options.explore));
  require(options.tolerance >= 0 && options.tolerance < 1,
          fmt::format("tolerance={}: expected 0 <= tolerance < 1", options.tolerance));
  require(options.codebook_dtype == DType::kF16 || options.codebook_dtype == DType::kF32,
          "codebook: expected f16 or f32");
}

std::string to_string(const PqOptions& options) {
  return fmt::format(
      "block_size={},centroids={},groups={},iterations={},seed={},init={},restarts={},explore={},"
      "reassign={},tolerance={},codebook={},engine={},gain={}",
      options.block_size, options.n_centroids, options.n_groups, options.iterations, options.seed,
      options.init == Init::kPlusPlus ? "++" : "random", options.restarts, options.explore,
      options.reassign == Reassign::kSplit ? "split" : "farthest", options.tolerance,
      options.codebook_dtype == DType::kF16 ? "f16" : "f32",
      options.engine == Engine::kNative ? "native" : "faiss", to_string(options.gain));
}

void set_option(PqOptions& options, std::string_view key, std::string_view value) {
  if (key == "block_size") {
    options.block_size = parse_block_size(key, value);
  } else if (key == "centroids") {
    options.n_centroids = parse_number<std::size_t>(key, value, kWholeNumber);
  } else if (key == "groups") {
    options.n_groups = parse_number<std::size_t>(key, value, kWholeNumber);
  } else if (key == "iterations") {
    options.iterations = parse_number<std::size_t>(key, value, kWholeNumber);
  } else if (key == "seed") {
    options.seed = parse_number<std::uint64_t>(key, value, kWholeNumber);
  } else if (key == "init") {
    options.init =
        parse_word<Init>(key, value, {{"++", Init::kPlusPlus}, {"random", Init::kRandom}});
  } else if (key == "restarts") {
    options.restarts = parse_number<std::size_t>(key, value, kWholeNumber);
  } else if (key == "explore") {
    options.explore = parse_number<std::size_t>(key, value, kWholeNumber);
  } else if (key == "reassign") {
    options.reassign = parse_word<Reassign>(
        key, value, {{"split", Reassign::kSplit}, {"farthest", Reassign::kFarthest}});
  } else if (key == "tolerance") {
    options.tolerance = parse_number<double>(key, value, "a number");
  } else if (key == "codebook") {
    options.codebook_dtype =
        parse_word<DType>(key, value, {{"f16", DType::kF16}, {"f32", DType::kF32}});
  } else if (key == "engine") {
    options.engine =
        parse_word<Engine>(key, value, {{"native", Engine::kNative}, {"faiss", Engine::kFaiss}});
  } else if (key == "gain") {
    options.gain = parse_word<Gain>(key, value,
                                    {{"unbiased", Gain::kUnbiased},
                                     {"energy", Gain::kEnergy},
                                     {"least_squares", Gain::kLeastSquares}});
  } else {
    unknown_option(PqOptions::kCodec, key,
                   {"block_size", "centroids", "groups", "iterations", "seed", "init", "restarts",
                    "explore", "reassign", "tolerance", "codebook", "engine", "gain"});
  }
  validate(options);
}

std::string unused(const PqOptions& options, std::string_view key) {
  if (options.engine == Engine::kFaiss) {
    constexpr const char* kNoSuch = "engine=faiss does not support it; use engine=native";
    if (key == "reassign" || (key == "explore" && options.explore > 0)) return kNoSuch;
    if (key == "init" && options.init == Init::kPlusPlus) return kNoSuch;
    if (key == "tolerance" && options.tolerance > 0) return kNoSuch;
  }
  if (key == "explore" && options.explore > 0 && options.init == Init::kRandom) {
    return "init=random does not explore; use init=++";
  }
  const bool improves =
      key == "tolerance" || key == "reassign" || (key == "restarts" && options.restarts > 1);
  if (improves && options.iterations == 0) return "iterations=0 keeps the initial centroids";
  return "";
}

std::string remarks(const PqWeight& weight, const PqOptions& options) {
  std::vector<std::string> found;
  const std::size_t n_blocks = weight.codes.size() / weight.n_groups;
  const std::size_t n_explored = sample_size(n_blocks, options);
  if (weight.n_centroids < options.n_centroids) {
    found.push_back(fmt::format("only {} distinct blocks", weight.n_centroids));
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
  if (const std::string limited = remark_on_gain(weight.options); !limited.empty()) {
    found.push_back(limited);
  }
  return fmt::format("{}", fmt::join(found, "; "));
}

}  // namespace pqw
