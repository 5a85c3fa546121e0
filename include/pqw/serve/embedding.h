// Embedding tables decoded row by row.
#pragma once

#include <cstdint>
#include <span>

#include "pqw/codecs/weight.h"

namespace pqw {

// Row i of the table is the vector of index i. Safe to use from several threads at once.
class Embedding {
 public:
  // `weight` is [num_embeddings, dim]. Errors: kInvalidArgument for another rank.
  explicit Embedding(Weight weight);

  std::size_t num_embeddings() const { return shape_of(weight_)[0]; }
  std::size_t dim() const { return shape_of(weight_)[1]; }

  // out: [indices.size()][dim]. Errors: kInvalidArgument for an index out of range or other sizes.
  void forward(std::span<const std::int64_t> indices, MutableMatrix out) const;

 private:
  Weight weight_;
};

}  // namespace pqw
