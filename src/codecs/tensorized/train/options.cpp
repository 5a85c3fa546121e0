// Options of the tensorizing encoder: names and texts.
#include <fmt/format.h>

#include "codecs/train/option_text.h"
#include "pqw/codecs/tensorized_encode.h"

namespace pqw {
namespace {

constexpr std::size_t kMostModes = 6;
constexpr std::size_t kMostIterations = 1'000'000;
constexpr std::size_t kMostRestarts = 1000;
constexpr std::size_t kMostLabelBytes = 100;

std::size_t parse_count(std::string_view key, std::string_view value, std::size_t least,
                        std::size_t most) {
  const auto number = parse_number<std::size_t>(key, value, kWholeNumber);
  if (number < least || number > most) bad_value(key, value, fmt::format("{} to {}", least, most));
  return number;
}

// "8x8x12"
std::vector<std::size_t> parse_sizes(std::string_view key, std::string_view value,
                                     std::string_view expected) {
  constexpr std::size_t kMostSizes = 2 * kMostModes;
  std::vector<std::size_t> sizes;
  for (std::size_t begin = 0; begin <= value.size();) {
    const std::size_t end = std::min(value.find('x', begin), value.size());
    std::size_t size = 0;
    const auto [stop, status] = std::from_chars(value.data() + begin, value.data() + end, size);
    if (status != std::errc() || stop != value.data() + end || size == 0 ||
        sizes.size() == kMostSizes) {
      bad_value(key, value, expected);
    }
    sizes.push_back(size);
    begin = end + 1;
  }
  return sizes;
}

Shape parse_modes(std::string_view key, std::string_view value) {
  if (value == "auto") return {};
  return parse_sizes(key, value, "sizes like 8x8x12, or auto" + did_you_mean(value, {"auto"}));
}

TensorRank parse_rank(std::string_view key, std::string_view value) {
  const std::string expected =
      "a rank like 16, ranks like 4x8x8, a fraction of the parameters like 0.1, or same" +
      did_you_mean(value, {"same"});
  if (value == "same") return {.fraction = 1};
  if (value.find_first_of(".e") == std::string_view::npos) {
    return {.sizes = parse_sizes(key, value, expected)};
  }
  const auto fraction = parse_number<double>(key, value, expected);
  if (!(fraction > 0 && fraction <= 1)) bad_value(key, value, "a fraction above 0, 1 at most");
  return {.fraction = fraction};
}

std::string parse_label(std::string_view key, std::string_view value) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  if (value.find_first_not_of(kAllowed) != std::string_view::npos ||
      value.size() > kMostLabelBytes) {
    bad_value(key, value.substr(0, kMostLabelBytes),
              fmt::format("at most {} letters, digits, '_', '.' and '-'", kMostLabelBytes));
  }
  return std::string(value);
}

std::string text_of(const Shape& modes) {
  return modes.empty() ? "auto" : fmt::format("{}", fmt::join(modes, "x"));
}

// A fraction has a point in it, which a rank has not.
std::string text_of(const TensorRank& rank) {
  if (!rank.sizes.empty()) return text_of(rank.sizes);
  return rank.fraction == 1 ? "same" : fmt::format("{}", rank.fraction);
}

}  // namespace

void set_option(TensorizedOptions& options, std::string_view key, std::string_view value) {
  if (key == "form") {
    const auto form = tensor_form_from_string(value);
    if (!form) bad_word(key, value, {"cp", "tucker", "tt", "ttm"});
    options.form = *form;
  } else if (key == "modes") {
    options.n_modes = parse_count(key, value, 1, kMostModes);
  } else if (key == "out") {
    options.out_modes = parse_modes(key, value);
  } else if (key == "in") {
    options.in_modes = parse_modes(key, value);
  } else if (key == "rank") {
    options.rank = parse_rank(key, value);
  } else if (key == "iterations") {
    options.iterations = parse_count(key, value, 0, kMostIterations);
  } else if (key == "restarts") {
    options.restarts = parse_count(key, value, 0, kMostRestarts);
  } else if (key == "tolerance") {
    options.tolerance = parse_number<double>(key, value, "a number");
    if (!(options.tolerance >= 0 && options.tolerance < 1)) {
      bad_value(key, value, "0 <= tolerance < 1");
    }
  } else if (key == "seed") {
    options.seed = parse_number<std::uint64_t>(key, value, kWholeNumber);
  } else if (key == "joint") {
    options.joint = parse_label(key, value);
  } else {
    unknown_option(TensorizedOptions::kCodec, key,
                   {"form", "modes", "out", "in", "rank", "iterations", "restarts", "tolerance",
                    "seed", "joint", "factors.KEY"});
  }
}

std::string to_string(const TensorizedOptions& options) {
  return fmt::format(
      "form={},modes={},out={},in={},rank={},iterations={},restarts={},tolerance={},"
      "seed={}{}{}",
      to_string(options.form), options.n_modes, text_of(options.out_modes),
      text_of(options.in_modes), text_of(options.rank), options.iterations, options.restarts,
      options.tolerance, options.seed, options.joint.empty() ? "" : ",joint=", options.joint);
}

std::string unused(const TensorizedOptions& options, std::string_view key) {
  const bool iterates = options.form == TensorForm::kCp || options.form == TensorForm::kTucker;
  if (key == "modes" && !options.out_modes.empty() && !options.in_modes.empty()) {
    return "out and in give all modes";
  }
  if ((key == "iterations" || key == "tolerance") && !iterates) {
    return fmt::format("form={} is computed without iterations; use form=cp or tucker",
                       to_string(options.form));
  }
  if ((key == "restarts" || key == "seed") && options.form != TensorForm::kCp) {
    return fmt::format("form={} draws nothing at random; use form=cp", to_string(options.form));
  }
  if ((key == "tolerance" || (key == "restarts" && options.restarts > 1)) &&
      options.iterations == 0) {
    return "iterations=0 keeps the initial factors";
  }
  return "";
}

void check(const TensorizedOptions& options) {
  if (options.joint.empty() || options.form != TensorForm::kTtm) return;
  bad_value("joint", options.joint, "form cp, tucker or tt: that of ttm has no place for layers");
}

}  // namespace pqw
