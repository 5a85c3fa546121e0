// Weights of low rank: shape arithmetic and decoding.
#include "pqw/codecs/weight.h"

#include "codecs/low_rank/value/combine.h"
#include "codecs/parts.h"
#include "core/parallel.h"

namespace pqw {
namespace {

std::vector<float> decoded(const Weight& factor, std::size_t first, std::size_t n_rows) {
  const std::size_t cols = matrix_shape(shape_of(factor)).cols;
  std::vector<float> values(n_rows * cols);
  decode_rows(factor, first, {values.data(), n_rows, cols});
  return values;
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
  Workers(out.rows() * rank * out.cols(), 1).for_each(out.rows(), [&](std::size_t r) {
    combine_rows(
        std::span(outer).subspan(r * rank, rank),
        [&](std::size_t k) { return inner.data() + k * out.cols(); }, out.row(r));
  });
}

}  // namespace pqw
