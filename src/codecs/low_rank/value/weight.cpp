// Weights of low rank: shape arithmetic and decoding.
#include "codecs/low_rank/value/combine.h"
#include "codecs/low_rank/value/factors.h"
#include "core/parallel.h"

namespace pqw {
namespace {

std::vector<float> decoded(const Weight& factor, std::size_t first, std::size_t n_rows) {
  const std::size_t cols = head_of(factor).matrix().cols;
  std::vector<float> values(n_rows * cols);
  decode_rows(factor, first, {values.data(), n_rows, cols});
  return values;
}

}  // namespace

std::size_t LowRankWeight::rank() const { return head_of(*inner).rows(); }

std::size_t LowRankCodec::parameter_count(const LowRankWeight& weight) {
  return pqw::parameter_count(*weight.outer) + pqw::parameter_count(*weight.inner);
}

std::string LowRankCodec::summary(const LowRankWeight& weight) {
  const auto part = [](const char* name, const pqw::Weight& factor) {
    return PartSummary{name, codec_name(factor), pqw::summary(factor)};
  };
  return low_rank_summary(weight.rank(),
                          {part(kOuter, *weight.outer), part(kInner, *weight.inner)});
}

std::string low_rank_summary(std::size_t rank, const std::vector<PartSummary>& factors) {
  return "rank=" + std::to_string(rank) + summary_of_parts(factors);
}

void LowRankCodec::decode_rows(const LowRankWeight& weight, std::size_t first, MutableMatrix out) {
  const std::size_t rank = weight.rank();
  const std::vector<float> inner = decoded(*weight.inner, 0, rank);
  const std::vector<float> outer = decoded(*weight.outer, first, out.rows());
  Workers(out.rows() * rank * out.cols(), 1).for_each(out.rows(), [&](std::size_t r) {
    const auto row_of = [&](std::size_t k) { return inner.data() + k * out.cols(); };
    combine_rows(std::span(outer).subspan(r * rank, rank), row_of, out.row(r));
  });
}

}  // namespace pqw
