// Options of int8: names and texts.
#include "codecs/option_text.h"
#include "pqw/codecs/int8_encode.h"

namespace pqw {
namespace {

// Sets `option` to `first` or `second`, whichever text is given.
template <class T>
void choose(T& option, std::string_view key, std::string_view value,
            std::pair<std::string_view, T> first, std::pair<std::string_view, T> second) {
  if (value != first.first && value != second.first) {
    bad_value(key, value, fmt::format("{} or {}", first.first, second.first));
  }
  option = value == first.first ? first.second : second.second;
}

}  // namespace

std::string to_string(const Int8Options& options) {
  return fmt::format("per={},scheme={},activations={}",
                     options.per == Granularity::kRow ? "row" : "tensor",
                     options.scheme == Int8Scheme::kSymmetric ? "symmetric" : "affine",
                     options.activations == ActivationRange::kRow ? "row" : "batch");
}

void set_option(Int8Options& options, std::string_view key, std::string_view value) {
  if (key == "per") {
    choose<Granularity>(options.per, key, value, {"row", Granularity::kRow},
                        {"tensor", Granularity::kTensor});
  } else if (key == "scheme") {
    choose<Int8Scheme>(options.scheme, key, value, {"symmetric", Int8Scheme::kSymmetric},
                       {"affine", Int8Scheme::kAffine});
  } else if (key == "activations") {
    choose<ActivationRange>(options.activations, key, value, {"row", ActivationRange::kRow},
                            {"batch", ActivationRange::kBatch});
  } else {
    unknown_option(Int8Options::kCodec, key, "per, scheme or activations");
  }
}

}  // namespace pqw
