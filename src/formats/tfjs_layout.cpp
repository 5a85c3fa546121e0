// Layouts of weights in graph models of TensorFlow.js.
#include "formats/tfjs_layout.h"

#include <string_view>

namespace pqw {
namespace {

Layout of(Kind kind, std::string_view letters) {
  return {kind, axes_from_letters(letters).value_or(std::vector<std::size_t>{})};
}

}  // namespace

Layout tfjs_layout(const TensorInfo& info) {
  std::string_view path = info.name;
  const auto take = [&](std::string_view ending) {
    const bool ends = path.ends_with(ending);
    if (ends) path.remove_suffix(ending.size());
    return ends;
  };
  const std::size_t rank = info.shape.size();
  if (take("/depthwise_weights") && rank == 4) return of(Kind::kDepthwise, "hwcm");
  if (take("/weights") && rank == 4) return of(Kind::kConv, "hwio");
  if (!take("/ReadVariableOp")) return {};
  if (take("/MatMul") && rank == 2) return of(Kind::kLinear, "io");
  if (take("/Conv2D") && rank == 4) return of(Kind::kConv, "hwio");
  if (take("/depthwise") && rank == 4) return of(Kind::kDepthwise, "hwcm");
  return {};
}

}  // namespace pqw
