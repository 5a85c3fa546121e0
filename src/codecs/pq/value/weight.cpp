// Product-quantized weights: shape arithmetic.
#include "pqw/codecs/pq.h"
#include "pqw/core/bit_packing.h"

namespace pqw {

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
