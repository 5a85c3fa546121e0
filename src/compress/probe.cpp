// Estimates the errors and bytes of operating points at little effort.
#include "compress/probe.h"

#include <algorithm>

#include "compress/points.h"
#include "pqw/core/distortion.h"

namespace pqw {
namespace {

// Evenly spaced rows with at least n weights, or all.
FloatTensor sampled_rows(const FloatTensor& tensor, std::size_t n_weights) {
  const ConstMatrix all = tensor.matrix();
  const std::size_t n_rows = std::max<std::size_t>(1, (n_weights + all.cols() - 1) / all.cols());
  const std::size_t step = all.rows() / n_rows;
  if (step <= 1) return tensor;
  FloatTensor sample{{tensor.info.name, tensor.info.dtype, {0, all.cols()}}, {}};
  for (std::size_t row = 0; row < all.rows(); row += step, ++sample.info.shape[0]) {
    const auto values = all.row(row);
    sample.values.insert(sample.values.end(), values.begin(), values.end());
  }
  return sample;
}

// The options with less effort, and the weights that they need to see.
struct Probe {
  CodecOptions options;
  std::size_t n_weights;
};

Probe probe_of(CodecOptions options) {
  constexpr std::size_t kFewestWeights = std::size_t{1} << 16;
  constexpr std::size_t kBlocksPerCentroid = 256, kIterations = 8;
  auto* pq = std::get_if<PqOptions>(&options);
  if (pq == nullptr) return {std::move(options), kFewestWeights};
  pq->restarts = 1;
  pq->iterations = std::min(pq->iterations, kIterations);
  const std::size_t n_weights = kBlocksPerCentroid * pq->n_centroids * pq->block_size;
  return {std::move(options), std::max(kFewestWeights, n_weights)};
}

// pq_bytes of the tensor minus what it takes. `weight` is a sample of it, with 1 / `share` of its
// rows and codes, but with whole codebooks.
double saved_bytes(const TensorInfo& sample, const PqOptions& options, const Weight& weight,
                   double share) {
  const auto& pq = std::get<PqWeight>(weight);
  const double saved = static_cast<double>(pq_bytes(sample, options)) -
                       static_cast<double>(data_bytes(to_record(weight, "")));
  const std::size_t n_values = (options.n_centroids - pq.n_centroids) * pq.block_size * pq.n_groups;
  const auto of_codebook = static_cast<double>(n_values * size_in_bytes(pq.codebook_dtype));
  return of_codebook + share * (saved - of_codebook);
}

}  // namespace

Probed probe(const FloatTensor& tensor, const CodecOptions& options) {
  const Probe probe = probe_of(options);
  const FloatTensor sample = sampled_rows(tensor, probe.n_weights);
  const ConstMatrix w = sample.matrix();
  const Weight weight = Encoding(sample, probe.options).encode();
  std::vector<float> decoded(sample.values.size());
  decode_rows(weight, 0, MutableMatrix(decoded.data(), w.rows(), w.cols()));
  Distortion distortion;
  distortion.add(std::span<const float>(sample.values), std::span<const float>(decoded));
  const double share =
      static_cast<double>(tensor.values.size()) / static_cast<double>(sample.values.size());
  const auto* pq = std::get_if<PqOptions>(&options);
  return {distortion.relative_error(),
          pq == nullptr ? 0 : saved_bytes(sample.info, *pq, weight, share)};
}

}  // namespace pqw
