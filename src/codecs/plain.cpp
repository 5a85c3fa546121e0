// Weights kept as they were: decoding and multiplying.
#include "pqw/codecs/plain.h"

#include <cassert>

#include "pqw/codecs/pq.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

constexpr std::size_t kParallelWork = 1 << 18;  // multiplications that pay for threads

void require_float(const PlainWeight& weight) {
  if (is_compressible(weight.dtype)) return;
  throw Error(ErrorCode::kInvalidArgument, "a plain weight of type " +
                                               std::string(to_string(weight.dtype)) +
                                               " cannot be used as a float matrix");
}

}  // namespace

std::size_t size_in_bits(const PlainWeight& weight) { return weight.bytes.size() * 8; }

std::size_t parameter_count(const PlainWeight& weight) { return element_count(weight.shape); }

std::string summary(const PlainWeight&) { return ""; }

void decode(const PlainWeight& weight, MutableMatrix out) { decode_rows(weight, 0, out); }

void decode_rows(const PlainWeight& weight, std::size_t first, MutableMatrix out) {
  require_float(weight);
  const MatrixShape matrix = matrix_shape(weight.shape);
  assert(first + out.rows() <= matrix.rows && out.cols() == matrix.cols);
  const std::size_t row_bytes = matrix.cols * size_in_bytes(weight.dtype);
  const std::span<const std::byte> bytes(weight.bytes);
  for (std::size_t r = 0; r < out.rows(); ++r) {
    to_float(bytes.subspan((first + r) * row_bytes, row_bytes), weight.dtype, out.row(r));
  }
}

void multiply(const PlainWeight& weight, ConstMatrix x, MutableMatrix y) {
  multiply_rows(weight, 0, x, y);
}

void multiply_rows(const PlainWeight& weight, std::size_t first, ConstMatrix x, MutableMatrix y) {
  require_float(weight);
  assert(y.rows() == x.rows());
  const auto n_rows = static_cast<std::ptrdiff_t>(y.cols());
#pragma omp parallel if (x.rows() * x.cols() * y.cols() >= kParallelWork)
  {
    std::vector<float> row(x.cols());
#pragma omp for
    for (std::ptrdiff_t r = 0; r < n_rows; ++r) {
      const auto index = static_cast<std::size_t>(r);
      decode_rows(weight, first + index, {row.data(), 1, row.size()});
      for (std::size_t b = 0; b < x.rows(); ++b) {
        double sum = 0;
        for (std::size_t c = 0; c < row.size(); ++c) sum += static_cast<double>(x(b, c)) * row[c];
        y(b, index) = static_cast<float>(sum);
      }
    }
  }
}

}  // namespace pqw
