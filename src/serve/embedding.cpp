// Embedding tables.
#include "pqw/serve/embedding.h"

#include "core/parallel.h"
#include "core/subject.h"
#include "serve/layer_checks.h"

namespace pqw {

Embedding::Embedding(Weight weight) {
  require_layer("Embedding", weight, 2, {});
  table_ = make_product(std::move(weight), {.layout = ServeLayout::kRows});
}

void Embedding::forward(std::span<const std::int64_t> indices, MutableMatrix out) const {
  if (out.rows() != indices.size() || out.cols() != dim()) {
    throw invalid_argument("Embedding of dimension {}: {} indices, out is [{}, {}]", dim(),
                           indices.size(), out.rows(), out.cols());
  }
  for (const std::int64_t index : indices) {
    if (index < 0 || static_cast<std::uint64_t>(index) >= num_embeddings()) {
      throw invalid_argument("Embedding of {} vectors: index {} is out of range", num_embeddings(),
                             index);
    }
  }
  Workers(indices.size() * dim(), 4).for_each(indices.size(), [&](std::size_t i) {
    table_->decode_row(static_cast<std::size_t>(indices[i]), out.row(i));
  });
}

}  // namespace pqw
