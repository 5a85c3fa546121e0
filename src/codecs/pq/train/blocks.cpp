// Cutting weights into blocks.
#include <algorithm>

#include "core/subject.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/pq.h"

namespace pqw {
namespace {

// Copies one row to its blocks.
void scatter_row(std::span<const float> row, std::size_t r, std::size_t n_rows, Blocks& blocks) {
  const std::size_t d = blocks.block_size;
  for (std::size_t p = 0; p * d < row.size(); ++p) {
    const std::size_t n = std::min(d, row.size() - p * d);
    std::copy_n(row.data() + p * d, n, blocks.values.data() + (p * n_rows + r) * d);
  }
}

Blocks cut(Shape shape, DType dtype, ConstMatrix w, std::size_t block_size) {
  if (block_size == 0) throw invalid_argument("block size 0: expected >= 1");
  const std::size_t padded[] = {(w.cols() + block_size - 1) / block_size, w.rows(), block_size};
  Blocks blocks{std::move(shape), dtype, block_size, std::vector<float>(element_count(padded))};
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
