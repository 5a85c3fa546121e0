// Sizes of tensorized weights, and what they say of themselves.
#include "pqw/codecs/weight.h"

#include <algorithm>

namespace pqw {
namespace {

std::string joined(const Shape& sizes) {
  std::string text;
  for (const std::size_t size : sizes) {
    if (!text.empty()) text += 'x';
    text += std::to_string(size);
  }
  return text;
}

}  // namespace

std::size_t size_in_bits(const TensorizedWeight& weight) {
  std::size_t bits = 0;
  for (const Weight& factor : *weight.factors) bits += size_in_bits(factor);
  return bits;
}

std::size_t parameter_count(const TensorizedWeight& weight) {
  const std::size_t n_layers = weight.layout.n_layers;
  return (parameter_count(weight.layout) + n_layers - 1) / n_layers;
}

std::string summary(const TensorizedWeight& weight) {
  const TensorLayout& layout = weight.layout;
  std::string text = "form=" + std::string(to_string(layout.form)) +
                     ",out=" + joined(layout.out_modes) + ",in=" + joined(layout.in_modes) +
                     ",rank=" + joined(layout.ranks);
  if (layout.n_layers > 1) {
    text += ",layer=" + std::to_string(weight.layer) + "/" + std::to_string(layout.n_layers);
  }
  // There may be many, and their sizes are those of the layout: their codec has to do.
  const std::string codec = codec_name(weight.factors->front());
  const bool alike = std::ranges::all_of(
      *weight.factors, [&](const Weight& factor) { return codec_name(factor) == codec; });
  if (!alike) return text + ",factors=mixed";
  return codec == PlainWeight::kCodec ? text : text + ",factors=" + codec;
}

}  // namespace pqw
