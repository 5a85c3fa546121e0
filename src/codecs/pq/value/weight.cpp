// Product-quantized weights: shape arithmetic.
#include "pqw/codecs/pq.h"
#include "pqw/core/bit_packing.h"
#include "pqw/core/error.h"

namespace pqw {

MatrixShape matrix_shape(std::span<const std::size_t> shape) {
  if (shape.size() < 2) {
    throw Error(ErrorCode::kInvalidArgument,
                "shape " + to_string(shape) + " is no matrix: rank 2 or more is needed");
  }
  return {shape[0], element_count(shape.subspan(1))};
}

std::size_t first_position(std::size_t group, std::size_t n_groups, std::size_t n_positions) {
  return n_positions / n_groups * group + n_positions % n_groups * group / n_groups;
}

const float* PqWeight::codebook_of(std::size_t position) const {
  std::size_t group = 0;
  while (position >= first_position(group + 1, n_groups, positions())) ++group;
  return codebooks.data() + group * n_centroids * block_size;
}

std::size_t size_in_bits(const PqWeight& weight) {
  return weight.codes.size() * bits_for(weight.n_centroids) +
         weight.codebooks.size() * size_in_bytes(weight.codebook_dtype) * 8;
}

std::size_t parameter_count(const PqWeight& weight) { return element_count(weight.shape); }

std::string summary(const PqWeight& weight) {
  const std::string groups = ",groups=" + std::to_string(weight.n_groups);
  return "block_size=" + std::to_string(weight.block_size) +
         ",centroids=" + std::to_string(weight.n_centroids) + (weight.n_groups > 1 ? groups : "");
}

}  // namespace pqw
