// Embedding tables.
#include "pqw/serve/embedding.h"

#include <fmt/format.h>

#include "pqw/core/error.h"
#include "serve/layer_checks.h"

namespace pqw {

Embedding::Embedding(Weight weight) : weight_(std::move(weight)) {
  require_layer("Embedding", weight_, 2, {});
}

void Embedding::forward(std::span<const std::int64_t> indices, MutableMatrix out) const {
  if (out.rows() != indices.size() || out.cols() != dim()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Embedding of dimension {}: {} indices, out is [{}, {}]", dim(),
                            indices.size(), out.rows(), out.cols()));
  }
  for (std::size_t i = 0; i < indices.size(); ++i) {
    const std::int64_t index = indices[i];
    if (index < 0 || static_cast<std::uint64_t>(index) >= num_embeddings()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("Embedding of {} vectors: index {} is out of range", num_embeddings(),
                              index));
    }
    decode_rows(weight_, static_cast<std::size_t>(index), {out.row(i).data(), 1, dim()});
  }
}

}  // namespace pqw
