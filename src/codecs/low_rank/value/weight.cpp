// Weights of low rank: shape arithmetic and decoding.
#include "pqw/codecs/weight.h"

#include "codecs/float_range.h"
#include "codecs/parts.h"

namespace pqw {
namespace {

constexpr std::size_t kParallelWork = 1 << 18;  // multiplications that pay for threads

std::vector<float> decoded(const Weight& factor, std::size_t first, std::size_t n_rows) {
  const std::size_t cols = matrix_shape(shape_of(factor)).cols;
  std::vector<float> values(n_rows * cols);
  decode_rows(factor, first, {values.data(), n_rows, cols});
  return values;
}

// A row of W: each element is a sum over the rank, in order. Near the limits of float a sum may
// leave the range although its result is in it, or lose bits to underflow. It is then computed in
// double.
void decode_row(std::span<const float> outer, const float* inner, std::span<float> to) {
  const std::size_t cols = to.size();
  std::ranges::fill(to, 0.0f);
  for (std::size_t k = 0; k < outer.size(); ++k) {
    const float scale = outer[k];
    const float* from = inner + k * cols;
    for (std::size_t c = 0; c < cols; ++c) to[c] += scale * from[c];
  }
  if (is_well_inside(largest_magnitude(to))) return;
  for (std::size_t c = 0; c < cols; ++c) {
    double sum = 0;
    for (std::size_t k = 0; k < outer.size(); ++k) {
      sum += static_cast<double>(outer[k]) * inner[k * cols + c];
    }
    to[c] = saturated(sum);
  }
}

}  // namespace

std::size_t LowRankWeight::rank() const { return shape_of(*inner)[0]; }

std::size_t size_in_bits(const LowRankWeight& weight) {
  return size_in_bits(*weight.outer) + size_in_bits(*weight.inner);
}

std::size_t parameter_count(const LowRankWeight& weight) {
  return parameter_count(*weight.outer) + parameter_count(*weight.inner);
}

std::string summary(const LowRankWeight& weight) {
  return "rank=" + std::to_string(weight.rank()) +
         summary_of_parts({{"outer", weight.outer.get()}, {"inner", weight.inner.get()}});
}

void decode(const LowRankWeight& weight, MutableMatrix out) { decode_rows(weight, 0, out); }

void decode_rows(const LowRankWeight& weight, std::size_t first, MutableMatrix out) {
  const std::size_t rank = weight.rank();
  const std::vector<float> inner = decoded(*weight.inner, 0, rank);
  const std::vector<float> outer = decoded(*weight.outer, first, out.rows());
#pragma omp parallel for if (out.rows() * rank * out.cols() >= kParallelWork)
  for (std::size_t r = 0; r < out.rows(); ++r) {
    decode_row(std::span(outer).subspan(r * rank, rank), inner.data(), out.row(r));
  }
}

}  // namespace pqw
