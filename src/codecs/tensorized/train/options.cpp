// Options of tensorized: the table.
#include <fmt/format.h>

#include <algorithm>

#include "codecs/train/fields.h"
#include "codecs/train/gain.h"
#include "pqw/codecs/tensorized.h"

namespace pqw {
namespace {

constexpr std::size_t kMostModes = 6;
constexpr std::size_t kMostLabelBytes = 100;

std::string joined(const Shape& sizes) { return fmt::format("{}", fmt::join(sizes, "x")); }

// "8x8x12"
std::optional<Shape> sizes_from(std::string_view text) {
  Shape sizes;
  while (sizes.size() < 2 * kMostModes) {
    const std::size_t end = std::min(text.find('x'), text.size());
    const std::optional<std::size_t> size = count(1).parse(text.substr(0, end));
    if (!size) return std::nullopt;
    sizes.push_back(*size);
    if (end == text.size()) return sizes;
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

Values<Shape> modes() {
  return Values<Shape>{"NxN...", "sizes like 8x8x12", {}, sizes_from, joined}.or_word("auto", {});
}

// A share has a point in it, which a rank has not.
std::optional<TensorRank> rank_from(std::string_view text) {
  if (text.find_first_of(".e") == text.npos) {
    const std::optional<Shape> sizes = sizes_from(text);
    return sizes ? std::optional(TensorRank{.sizes = *sizes}) : std::nullopt;
  }
  const std::optional<double> fraction = share().parse(text);
  return fraction ? std::optional(TensorRank{.fraction = *fraction}) : std::nullopt;
}

std::string text_of(const TensorRank& rank) {
  return rank.sizes.empty() ? fmt::format("{}", rank.fraction) : joined(rank.sizes);
}

Values<TensorRank> ranks() {
  constexpr const char* kExpected =
      "a rank like 16, ranks like 4x8x8, a share of the parameters like 0.1, at most 1,";
  return Values<TensorRank>{"N|NxN...|X", kExpected, {}, rank_from, text_of}.or_word(
      "same", {.fraction = 1});
}

std::optional<std::string> label_from(std::string_view text) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
  if (text.find_first_not_of(kAllowed) != text.npos || text.size() > kMostLabelBytes) {
    return std::nullopt;
  }
  return std::string(text);
}

Values<std::string> label() {
  return {"LABEL",
          fmt::format("at most {} letters, digits, '_', '.' and '-'", kMostLabelBytes),
          {},
          label_from,
          [](const std::string& text) { return text; }};
}

Values<TensorForm> forms() {
  std::vector<std::pair<std::string, TensorForm>> named;
  for (const auto form :
       {TensorForm::kCp, TensorForm::kTucker, TensorForm::kTt, TensorForm::kTtm}) {
    named.emplace_back(to_string(form), form);
  }
  return choice(named);
}

std::string computed_at_once(const TensorizedOptions& o) {
  if (o.form == TensorForm::kCp || o.form == TensorForm::kTucker) return "";
  return fmt::format("form={} is computed without iterations; use form=cp or tucker",
                     to_string(o.form));
}

std::string draws_nothing(const TensorizedOptions& o) {
  if (o.form == TensorForm::kCp) return "";
  return fmt::format("form={} uses no random numbers; use form=cp", to_string(o.form));
}

std::string without_iterations(const TensorizedOptions& o) {
  return o.iterations == 0 ? "iterations=0 keeps the initial factors" : "";
}

}  // namespace

const Fields<TensorizedOptions>& TensorizedOptions::fields() {
  using O = TensorizedOptions;
  static const Fields<O> kFields = {
      Field("form", &O::form, forms(), "the kind of decomposition"),
      Field("modes", &O::n_modes, count(1, kMostModes), "modes of each side, if they are not given",
            {.unused =
                 [](const O& o) {
                   const bool given = !o.out_modes.empty() && !o.in_modes.empty();
                   return given ? "out and in give all modes" : "";
                 }}),
      Field("out", &O::out_modes, modes(), "modes of the rows", {.has_flag = false}),
      Field("in", &O::in_modes, modes(), "modes of the columns", {.has_flag = false}),
      Field(
          "rank", &O::rank, ranks(),
          "one number for all ranks, a list of ranks, a share of the parameters of the matrix, or "
          "same: as many parameters as the matrix"),
      Field("iterations", &O::iterations, count(0, 1'000'000), "sweeps of cp and tucker at most",
            {.unused = computed_at_once}),
      Field("restarts", &O::restarts, count(0, 1000),
            "starts of cp; the best one is kept; 0: 3 for ranks below 512, else 1",
            {.unused =
                 [](const O& o) {
                   return either(draws_nothing(o), o.restarts > 1 ? without_iterations(o) : "");
                 }}),
      Field("tolerance", &O::tolerance, share_below_1(),
            "stop when the relative error falls by less in a sweep",
            {.unused =
                 [](const O& o) { return either(computed_at_once(o), without_iterations(o)); }}),
      Field("seed", &O::seed, count<std::uint64_t>(), "seed of the starts of cp",
            {.unused = draws_nothing}),
      Field("joint", &O::joint, label(),
            "tensors of equal label, shape, type and options are decomposed together and share "
            "their factors (not ttm)"),
      Field("gain", &O::gain, gain_values(),
            "a factor on the product, for what the decomposition drops; factors.gain is for the "
            "rounding of factors",
            {.written = [](const O& o) { return o.gain != Gain::kNone; }})};
  return kFields;
}

void TensorizedCodec::check(const TensorizedOptions& options) {
  if (options.joint.empty() || options.form != TensorForm::kTtm) return;
  bad_value("joint", options.joint, "form cp, tucker or tt: ttm has no place for layers");
}

}  // namespace pqw
