// Embedding tables.
#include "pqw/serve/embedding.h"

#include <algorithm>
#include <vector>

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
  require_indices(indices);
  Workers(indices.size() * dim(), 4).for_each(indices.size(), [&](std::size_t i) {
    table_->decode_row(static_cast<std::size_t>(indices[i]), out.row(i));
  });
}

void Embedding::require_indices(std::span<const std::int64_t> indices) const {
  for (const std::int64_t index : indices) {
    if (index < 0 || static_cast<std::uint64_t>(index) >= num_embeddings()) {
      throw invalid_argument("Embedding of {} vectors: index {} is out of range", num_embeddings(),
                             index);
    }
  }
}

void Embedding::forward_bags(std::span<const std::int64_t> indices,
                             std::span<const std::int64_t> offsets, BagMode mode,
                             MutableMatrix out) const {
  if (out.rows() != offsets.size() || out.cols() != dim()) {
    throw invalid_argument("Embedding of dimension {}: {} bags, out is [{}, {}]", dim(),
                           offsets.size(), out.rows(), out.cols());
  }
  require_indices(indices);
  const auto n_indices = static_cast<std::int64_t>(indices.size());
  for (std::size_t b = 0; b < offsets.size(); ++b) {
    const std::int64_t least = b == 0 ? 0 : offsets[b - 1], most = b == 0 ? 0 : n_indices;
    if (offsets[b] >= least && offsets[b] <= most) continue;
    throw invalid_argument("Embedding: offset {} of bag {}, expected {} to {}", offsets[b], b,
                           least, most);
  }
  Workers(indices.size() * dim(), 4).for_each(offsets.size(), [&](std::size_t b) {
    const auto begin = static_cast<std::size_t>(offsets[b]);
    const std::size_t end =
        b + 1 < offsets.size() ? static_cast<std::size_t>(offsets[b + 1]) : indices.size();
    const std::span<float> sums = out.row(b);
    std::ranges::fill(sums, 0.0f);
    std::vector<float> row(dim());
    for (std::size_t i = begin; i < end; ++i) {
      table_->decode_row(static_cast<std::size_t>(indices[i]), row);
      for (std::size_t c = 0; c < row.size(); ++c) sums[c] += row[c];
    }
    if (mode == BagMode::kSum || begin == end) return;
    for (float& sum : sums) sum /= static_cast<float>(end - begin);
  });
}

}  // namespace pqw
