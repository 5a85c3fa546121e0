// Embedding tables.
#include "pqw/serve/embedding.h"

#include <fmt/format.h>

#include "core/region_errors.h"
#include "pqw/core/error.h"
#include "serve/layer_checks.h"

namespace pqw {
namespace {

constexpr std::size_t kParallelFloats = 1 << 16;  // decoded, that pay for threads

}  // namespace

Embedding::Embedding(Weight weight) {
  require_layer("Embedding", weight, 2, {});
  table_ = make_product(std::move(weight), {.layout = ServeLayout::kRows});
}

void Embedding::forward(std::span<const std::int64_t> indices, MutableMatrix out) const {
  if (out.rows() != indices.size() || out.cols() != dim()) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("Embedding of dimension {}: {} indices, out is [{}, {}]", dim(),
                            indices.size(), out.rows(), out.cols()));
  }
  for (const std::int64_t index : indices) {
    if (index < 0 || static_cast<std::uint64_t>(index) >= num_embeddings()) {
      throw Error(ErrorCode::kInvalidArgument,
                  fmt::format("Embedding of {} vectors: index {} is out of range", num_embeddings(),
                              index));
    }
  }
  RegionErrors errors;
#pragma omp parallel for if (indices.size() * dim() >= kParallelFloats)
  for (std::size_t i = 0; i < indices.size(); ++i) {
    errors.run([&] { table_->decode_row(static_cast<std::size_t>(indices[i]), out.row(i)); });
  }
  errors.rethrow();
}

}  // namespace pqw
