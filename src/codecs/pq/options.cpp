// Options of the encoder: ranges, names and texts.
#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "pqw/codecs/pq_encode.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

[[noreturn]] void bad_value(std::string_view key, std::string_view value, const char* expected) {
  throw Error(ErrorCode::kInvalidArgument, fmt::format("{}={}: expected {}", key, value, expected));
}

template <class T>
T parse(std::string_view key, std::string_view value, const char* expected) {
  T number{};
  const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (status != std::errc() || end != value.data() + value.size()) bad_value(key, value, expected);
  return number;
}

constexpr const char* kCount = "a whole number";

}  // namespace

void validate(const PqOptions& options) {
  const auto require = [](bool ok, const std::string& message) {
    if (!ok) throw Error(ErrorCode::kInvalidArgument, message);
  };
  require(options.block_size >= 1 && options.block_size <= (1u << 20),
          fmt::format("block_size={}: expected 1 to 1048576", options.block_size));
  require(options.n_centroids >= 2 && options.n_centroids <= 65536,
          fmt::format("centroids={}: expected 2 to 65536", options.n_centroids));
  require(options.n_groups >= 1, "groups=0: expected 1 or more");
  require(options.iterations <= 1'000'000,
          fmt::format("iterations={}: expected 0 to 1000000", options.iterations));
  require(options.restarts <= 1000,
          fmt::format("restarts={}: expected 0 to 1000", options.restarts));
  require(options.tolerance >= 0 && options.tolerance < 1,
          fmt::format("tolerance={}: expected 0 <= tolerance < 1", options.tolerance));
  require(options.codebook_dtype == DType::kF16 || options.codebook_dtype == DType::kF32,
          "codebook: expected f16 or f32");
}

std::string to_string(const PqOptions& options) {
  return fmt::format(
      "block_size={},centroids={},groups={},iterations={},seed={},init={},restarts={},reassign={},"
      "tolerance={},codebook={},engine={}",
      options.block_size, options.n_centroids, options.n_groups, options.iterations, options.seed,
      options.init == Init::kPlusPlus ? "++" : "random", options.restarts,
      options.reassign == Reassign::kSplit ? "split" : "farthest", options.tolerance,
      options.codebook_dtype == DType::kF16 ? "f16" : "f32",
      options.engine == Engine::kNative ? "native" : "faiss");
}

void set_option(PqOptions& options, std::string_view key, std::string_view value) {
  if (key == "block_size") {
    options.block_size = parse<std::size_t>(key, value, kCount);
  } else if (key == "centroids") {
    options.n_centroids = parse<std::size_t>(key, value, kCount);
  } else if (key == "groups") {
    options.n_groups = parse<std::size_t>(key, value, kCount);
  } else if (key == "iterations") {
    options.iterations = parse<std::size_t>(key, value, kCount);
  } else if (key == "seed") {
    options.seed = parse<std::uint64_t>(key, value, kCount);
  } else if (key == "init") {
    if (value != "++" && value != "random") bad_value(key, value, "++ or random");
    options.init = value == "++" ? Init::kPlusPlus : Init::kRandom;
  } else if (key == "restarts") {
    options.restarts = parse<std::size_t>(key, value, kCount);
  } else if (key == "reassign") {
    if (value != "split" && value != "farthest") bad_value(key, value, "split or farthest");
    options.reassign = value == "split" ? Reassign::kSplit : Reassign::kFarthest;
  } else if (key == "tolerance") {
    options.tolerance = parse<double>(key, value, "a number");
  } else if (key == "codebook") {
    if (value != "f16" && value != "f32") bad_value(key, value, "f16 or f32");
    options.codebook_dtype = value == "f16" ? DType::kF16 : DType::kF32;
  } else if (key == "engine") {
    if (value != "native" && value != "faiss") bad_value(key, value, "native or faiss");
    options.engine = value == "native" ? Engine::kNative : Engine::kFaiss;
  } else {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("unknown option '{}': expected block_size, centroids, groups, "
                    "iterations, seed, init, restarts, reassign, tolerance, codebook or engine",
                    key));
  }
  validate(options);
}

}  // namespace pqw
