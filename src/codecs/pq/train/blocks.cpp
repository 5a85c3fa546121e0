// Cutting weights into blocks.
#include <algorithm>

#include "core/subject.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/pq.h"

namespace pqw {
namespace {

Blocks make_blocks(Shape shape, DType dtype, std::size_t block_size) {
  if (block_size == 0) throw invalid_argument("block size 0: expected >= 1");
  const MatrixShape matrix = matrix_shape(shape);
  const std::size_t positions = (matrix.cols + block_size - 1) / block_size;
  const std::size_t padded[] = {positions, matrix.rows, block_size};
  const std::size_t count = element_count(padded);
  return {std::move(shape), dtype, block_size, std::vector<float>(count)};
}

// Copies one row to its blocks.
void scatter_row(std::span<const float> row, std::size_t r, std::size_t n_rows, Blocks& blocks) {
  const std::size_t d = blocks.block_size;
  for (std::size_t p = 0; p * d < row.size(); ++p) {
    const std::size_t n = std::min(d, row.size() - p * d);
    std::copy_n(row.data() + p * d, n, blocks.values.data() + (p * n_rows + r) * d);
  }
}

Blocks cut(Shape shape, DType dtype, ConstMatrix w, std::size_t block_size) {
  Blocks blocks = make_blocks(std::move(shape), dtype, block_size);
  for (std::size_t r = 0; r < w.rows(); ++r) scatter_row(w.row(r), r, w.rows(), blocks);
  return blocks;
}

}  // namespace

Blocks cut_blocks(const FloatTensor& tensor, std::size_t block_size) {
  return cut(tensor.info.shape, tensor.info.dtype, tensor.matrix(), block_size);
}

Blocks cut_blocks(ConstMatrix w, std::size_t block_size) {
  require_finite(w, "matrix");
  return cut({w.rows(), w.cols()}, DType::kF32, w, block_size);
}

}  // namespace pqw
