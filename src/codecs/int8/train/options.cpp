// Options of int8: names and texts.
#include "codecs/train/option_text.h"
#include "pqw/codecs/int8_encode.h"

namespace pqw {
std::string to_string(const Int8Options& options) {
  return fmt::format("per={},scheme={},activations={}",
                     options.per == Granularity::kRow ? "row" : "tensor",
                     options.scheme == Int8Scheme::kSymmetric ? "symmetric" : "affine",
                     options.activations == ActivationRange::kRow ? "row" : "batch");
}

void set_option(Int8Options& options, std::string_view key, std::string_view value) {
  if (key == "per") {
    options.per = parse_word<Granularity>(
        key, value, {{"row", Granularity::kRow}, {"tensor", Granularity::kTensor}});
  } else if (key == "scheme") {
    options.scheme = parse_word<Int8Scheme>(
        key, value, {{"symmetric", Int8Scheme::kSymmetric}, {"affine", Int8Scheme::kAffine}});
  } else if (key == "activations") {
    options.activations = parse_word<ActivationRange>(
        key, value, {{"row", ActivationRange::kRow}, {"batch", ActivationRange::kBatch}});
  } else {
    unknown_option(Int8Options::kCodec, key, {"per", "scheme", "activations"});
  }
}

}  // namespace pqw
