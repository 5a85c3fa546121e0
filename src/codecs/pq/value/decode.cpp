// Codes back to weights.
#include <algorithm>
#include <cassert>

#include "core/parallel.h"
#include "pqw/codecs/pq.h"

namespace pqw {

void PqCodec::decode_rows(const PqWeight& weight, std::size_t first, MutableMatrix out) {
  assert(first + out.rows() <= weight.rows() && out.cols() == weight.cols());
  const std::size_t d = weight.block_size;
  const std::size_t n_rows = weight.rows();
  const std::vector<std::uint32_t> groups = group_of_positions(weight);
  Workers(out.rows() * out.cols(), 4).for_each(out.rows(), [&](std::size_t r) {
    const std::uint16_t* code = weight.codes.data() + first + r;
    float* to = out.row(r).data();
    for (std::size_t p = 0; p < groups.size(); ++p, code += n_rows, to += d) {
      const std::size_t centroid = groups[p] * weight.n_centroids + *code;
      std::copy_n(weight.codebooks.data() + centroid * d, std::min(d, out.cols() - p * d), to);
    }
  });
}

}  // namespace pqw
