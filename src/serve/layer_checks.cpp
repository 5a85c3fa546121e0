// Checks that the layers share.
#include "serve/layer_checks.h"

#include "core/subject.h"

namespace pqw {

void require_layer(const char* layer, const Weight& weight, std::size_t rank,
                   std::span<const float> bias) {
  const Shape& shape = head_of(weight).shape;
  if (shape.size() != rank) {
    throw invalid_argument("{}: weight of shape {}, expected rank {}", layer, to_string(shape),
                           rank);
  }
  if (!bias.empty() && bias.size() != shape[0]) {
    throw invalid_argument("{}: bias of {} elements, expected {} or none", layer, bias.size(),
                           shape[0]);
  }
}

}  // namespace pqw
