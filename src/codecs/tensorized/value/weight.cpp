// Tensorized weights: counts, summaries and decoding.
#include "pqw/codecs/weight.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

#include "codecs/tensorized/value/outline.h"
#include "codecs/tensorized/value/row_builder.h"

namespace pqw {

std::size_t TensorizedCodec::parameter_count(const TensorizedWeight& weight) {
  const std::size_t n_layers = weight.layout.n_layers;
  return (pqw::parameter_count(weight.layout) + n_layers - 1) / n_layers;
}

std::string TensorizedCodec::summary(const TensorizedWeight& weight) {
  std::vector<std::string> codecs;
  for (const pqw::Weight& factor : *weight.factors) codecs.push_back(codec_name(factor));
  return tensorized_summary(weight, codecs);
}

// There may be many factors, and their sizes are those of the layout: their codec has to do.
std::string tensorized_summary(const TensorizedWeight& weight,
                               const std::vector<std::string>& codecs) {
  const TensorLayout& layout = weight.layout;
  std::string text = fmt::format("form={},out={},in={},rank={}", to_string(layout.form),
                                 fmt::join(layout.out_modes, "x"), fmt::join(layout.in_modes, "x"),
                                 fmt::join(layout.ranks, "x"));
  if (layout.n_layers > 1) {
    text += ",layer=" + std::to_string(weight.layer) + "/" + std::to_string(layout.n_layers);
  }
  const std::string& codec = codecs.front();
  if (std::ranges::count(codecs, codec) != std::ssize(codecs)) return text + ",factors=mixed";
  return codec == PlainCodec::kName ? text : text + ",factors=" + codec;
}

void TensorizedCodec::decode_rows(const TensorizedWeight& weight, std::size_t first,
                                  MutableMatrix out) {
  assert(out.cols() == weight.matrix().cols);
  assert(first + out.rows() <= weight.matrix().rows);
  const tensorized::Factors factors = tensorized::decode_factors(weight);
  tensorized::for_each_row(factors, first, out.rows(), out.cols(),
                           [&](std::size_t r, const auto& row) {
                             std::copy_n(row.begin(), out.cols(), out.row(r).begin());
                           });
}

}  // namespace pqw
