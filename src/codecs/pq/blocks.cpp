// Cutting weights into blocks.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "pqw/codecs/pq_encode.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

Blocks make_blocks(Shape shape, DType dtype, std::size_t block_size) {
  if (block_size == 0) throw Error(ErrorCode::kInvalidArgument, "block size 0: expected >= 1");
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

struct NonFinite {
  std::size_t count = 0;
  std::size_t first = 0;  // flat index
};

void note_non_finite(std::span<const float> row, std::size_t offset, NonFinite& found) {
  for (std::size_t c = 0; c < row.size(); ++c) {
    if (std::isfinite(row[c])) continue;
    if (found.count++ == 0) found.first = offset + c;
  }
}

void require_finite(const NonFinite& found, const std::string& name) {
  if (found.count == 0) return;
  throw Error(ErrorCode::kNonFinite,
              "tensor '" + name + "': " + std::to_string(found.count) +
                  " NaN or infinite weights (as float), the first at index " +
                  std::to_string(found.first) + "; only finite weights can be quantized");
}

// Doubles that are all too small for float would be stored as zeros and reported as exact.
void require_not_vanished(std::span<const std::byte> bytes, const Blocks& blocks,
                          const std::string& name) {
  const auto is_zero = [](auto value) { return value == decltype(value){}; };
  if (!std::all_of(blocks.values.begin(), blocks.values.end(), is_zero)) return;
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(double)) {
    double value;
    std::memcpy(&value, bytes.data() + at, sizeof(double));
    if (value == 0) continue;
    throw Error(ErrorCode::kUnsupported,
                "tensor '" + name + "': all weights are below the range of float");
  }
}

}  // namespace

Blocks cut_blocks(const TensorInfo& info, std::span<const std::byte> bytes,
                  std::size_t block_size) {
  if (!is_compressible(info.dtype)) {
    throw Error(ErrorCode::kInvalidArgument,
                "tensor '" + info.name + "': type " + std::string(to_string(info.dtype)) +
                    " cannot be product-quantized, expected F16, BF16, F32 or F64");
  }
  Blocks blocks = make_blocks(info.shape, info.dtype, block_size);
  const MatrixShape matrix = matrix_shape(info.shape);
  const std::size_t row_bytes = matrix.cols * size_in_bytes(info.dtype);
  std::vector<float> row(matrix.cols);
  NonFinite found;
  for (std::size_t r = 0; r < matrix.rows; ++r) {
    to_float(bytes.subspan(r * row_bytes, row_bytes), info.dtype, row);
    note_non_finite(row, r * matrix.cols, found);
    scatter_row(row, r, matrix.rows, blocks);
  }
  require_finite(found, info.name);
  if (info.dtype == DType::kF64) require_not_vanished(bytes, blocks, info.name);
  return blocks;
}

Blocks cut_blocks(ConstMatrix w, std::size_t block_size) {
  Blocks blocks = make_blocks({w.rows(), w.cols()}, DType::kF32, block_size);
  NonFinite found;
  for (std::size_t r = 0; r < w.rows(); ++r) {
    note_non_finite(w.row(r), r * w.cols(), found);
    scatter_row(w.row(r), r, w.rows(), blocks);
  }
  require_finite(found, "matrix");
  return blocks;
}

}  // namespace pqw
