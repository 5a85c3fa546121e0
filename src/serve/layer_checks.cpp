// Checks that the layers share.
#include "serve/layer_checks.h"

#include <fmt/format.h>

#include "pqw/core/error.h"

namespace pqw {

void require_layer(const char* layer, const Weight& weight, std::size_t rank,
                   std::span<const float> bias) {
  const Shape& shape = shape_of(weight);
  if (shape.size() != rank) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: weight of shape {}, expected rank {}",
                                                         layer, to_string(shape), rank));
  }
  if (!bias.empty() && bias.size() != shape[0]) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: bias of {} elements, expected {} or none", layer, bias.size(), shape[0]));
  }
}

}  // namespace pqw
