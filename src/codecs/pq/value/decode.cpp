// Codes back to weights.
#include <algorithm>
#include <cassert>

#include "core/parallel.h"
#include "pqw/codecs/pq.h"

namespace pqw {

void decode(const PqWeight& weight, MutableMatrix out) { decode_rows(weight, 0, out); }

void decode_rows(const PqWeight& weight, std::size_t first, MutableMatrix out) {
  const MatrixShape matrix = matrix_shape(weight.shape);
  assert(first + out.rows() <= matrix.rows && out.cols() == matrix.cols);
  const std::size_t d = weight.block_size;
  const std::size_t n_positions = weight.positions();
  const Workers workers(out.rows() * out.cols(), 4);
  for (std::size_t group = 0; group < weight.n_groups; ++group) {
    const float* codebook = weight.codebooks.data() + group * weight.n_centroids * d;
    const std::size_t begin = first_position(group, weight.n_groups, n_positions);
    const std::size_t end = first_position(group + 1, weight.n_groups, n_positions);
    workers.for_each(out.rows(), [&](std::size_t r) {
      const std::size_t row = first + r;
      float* to = out.row(r).data();
      for (std::size_t p = begin; p < end; ++p) {
        const float* centroid = codebook + weight.codes[p * matrix.rows + row] * d;
        std::copy_n(centroid, std::min(d, matrix.cols - p * d), to + p * d);
      }
    });
  }
}

}  // namespace pqw
