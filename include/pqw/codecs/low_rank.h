// Weights of low rank: the value type and decoding. Multiplication: product.h.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "pqw/codecs/weight_fwd.h"
#include "pqw/core/dtype.h"
#include "pqw/core/matrix_shape.h"
#include "pqw/core/matrix_view.h"
#include "pqw/core/record.h"
#include "pqw/core/tensor.h"

namespace pqw {

// W ≈ U V: a layer of `rank` outputs (inner, V) followed by one that takes them (outer, U), as in
// E. Denton et al., "Exploiting Linear Structure Within Convolutional Networks for Efficient
// Evaluation" (NIPS 2014). [out, in, k...] is seen as [out, in*k*...]. The bias of the layer
// belongs to the outer one.
struct LowRankWeight {
  static constexpr const char* kCodec = "low_rank";

  Shape shape;                // of the original tensor
  DType dtype = DType::kF32;  // of the original tensor
  std::string options;        // how it was made, "key=value,key=value"

  // In any representation, never null; copies of a weight share them.
  std::shared_ptr<const Weight> outer;  // [rows, rank]
  std::shared_ptr<const Weight> inner;  // [rank, cols]

  std::size_t rows() const { return matrix_shape(shape).rows; }
  std::size_t cols() const { return matrix_shape(shape).cols; }
  std::size_t rank() const;
};

// Both factors as they are stored.
std::size_t size_in_bits(const LowRankWeight& weight);

// The parameters of both factors: rank * (rows + cols) if these are matrices.
std::size_t parameter_count(const LowRankWeight& weight);

// "rank=64", then what the factors are unless they are plain.
std::string summary(const LowRankWeight& weight);

// The functions below see [out, in, k...] as a matrix (matrix_shape.h). Decoding forms the inner
// factor once per call. Elements beyond the range of float become the largest float.
void decode(const LowRankWeight& weight, MutableMatrix out);
void decode_rows(const LowRankWeight& weight, std::size_t first, MutableMatrix out);

// To and from what an archive stores: `outer` and `inner`, each a section where it is plain, else
// a part. from_record checks everything; errors: kCorrupt and kUnsupported, naming the tensor.
Record to_record(const LowRankWeight& weight, const std::string& name);
LowRankWeight low_rank_from_record(const Record& record);

}  // namespace pqw
