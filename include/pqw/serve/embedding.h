// Embedding tables decoded row by row.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "pqw/codecs/product.h"
#include "pqw/codecs/weight.h"

namespace pqw {

enum class BagMode { kSum, kMean };

// Row i of the table is the vector of index i. Copies share the table. Safe to use from several
// threads at once.
class Embedding {
 public:
  // `weight` is [num_embeddings, dim]. Errors: kInvalidArgument for another rank, or a type that
  // is not a float type.
  explicit Embedding(Weight weight);

  std::size_t num_embeddings() const { return table_->rows(); }
  std::size_t dim() const { return table_->cols(); }

  // out: [indices.size()][dim], the decoded values to the bit. Errors: kInvalidArgument for an
  // index out of range or other sizes; `out` is then as it was.
  void forward(std::span<const std::int64_t> indices, MutableMatrix out) const;

  // Sums or means of bags of vectors, as torch.nn.EmbeddingBag defines them. Bag b has the indices
  // from offsets[b] on, up to those of the next bag; an empty bag gives zeros. The vectors are
  // added in order, in float32. out: [offsets.size()][dim]. Errors: as forward, and
  // kInvalidArgument unless offsets begin with 0, do not fall and end within the indices.
  void forward_bags(std::span<const std::int64_t> indices, std::span<const std::int64_t> offsets,
                    BagMode mode, MutableMatrix out) const;

 private:
  void require_indices(std::span<const std::int64_t> indices) const;

  std::shared_ptr<const Product> table_;  // laid out by rows
};

}  // namespace pqw
