// The operating points of a tensor, and what they give at little effort.
#include "compress/points.h"

#include <algorithm>
#include <array>
#include <bit>
#include <set>

#include "pqw/core/distortion.h"

namespace pqw {
namespace {

constexpr std::array<std::size_t, 6> kBlockSizes = {1, 2, 3, 4, 6, 8};
constexpr std::size_t kFewestCentroids = 16;

std::size_t most_centroids(Use use) {
  switch (use) {
    case Use::kServing:
      return 256;
    case Use::kAny:
      return 1024;
    case Use::kStorage:
      return 4096;
  }
  return 0;
}

std::size_t block_count(const TensorInfo& info, std::size_t block_size) {
  const MatrixShape matrix = matrix_shape(info.shape);
  return matrix.rows * ((matrix.cols + block_size - 1) / block_size);
}

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

// By entropy coding.
double saved_bytes(const Weight& weight) {
  const auto* pq = std::get_if<PqWeight>(&weight);
  if (pq == nullptr || !pq->entropy_coding) return 0;
  PqWeight packed = *pq;
  packed.entropy_coding = false;
  return static_cast<double>(data_bytes(PqCodec::to_record(packed, ""))) -
         static_cast<double>(data_bytes(PqCodec::to_record(*pq, "")));
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

// With row scales too, if they take little and `base` does not say which.
std::vector<RowScales> scales_to_try(const TensorInfo& info, const PqOptions& base) {
  constexpr std::size_t kFewestColumns = 32;
  std::vector<RowScales> scales = {base.row_scales};
  const bool may = base.row_scales == RowScales::kNone && base.engine == Engine::kNative;
  if (may && matrix_shape(info.shape).cols >= kFewestColumns) scales.push_back(RowScales::kLog8);
  return scales;
}

}  // namespace

std::uint64_t pq_bytes(const TensorInfo& info, const PqOptions& options) {
  const std::size_t code_bits = std::bit_width(options.n_centroids - 1);
  const std::size_t scale_bytes = options.row_scales == RowScales::kNone  ? 0
                                  : options.row_scales == RowScales::kF16 ? 2
                                                                          : 1;
  const std::size_t n_groups =
      std::max<std::size_t>(1, options.n_groups);  // kAutoGroups: at least 1
  return n_groups * options.n_centroids * options.block_size *
             size_in_bytes(options.codebook_dtype) +
         (block_count(info, options.block_size) * code_bits + 7) / 8 +
         matrix_shape(info.shape).rows * scale_bytes;
}

std::vector<OperatingPoint> operating_points(const TensorInfo& info, const PqOptions& base,
                                             Use use) {
  std::vector<OperatingPoint> points;
  const Int8Options int8;
  if (const auto size = size_by_shape(info, int8))
    points.push_back({int8, data_bytes(size->record)});
  std::size_t series = 0;
  for (const RowScales scales : scales_to_try(info, base)) {
    for (const std::size_t block_size : kBlockSizes) {
      if (block_size > matrix_shape(info.shape).cols) break;
      ++series;
      for (std::size_t k = kFewestCentroids; k <= most_centroids(use); k *= 2) {
        if (2 * k > block_count(info, block_size)) break;
        PqOptions pq = base;
        pq.block_size = block_size;
        pq.n_centroids = k;
        pq.row_scales = scales;
        points.push_back({pq, pq_bytes(info, pq), series, static_cast<double>(k)});
      }
    }
  }
  return points;
}

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
  return {distortion.relative_error(), share * saved_bytes(weight)};
}

}  // namespace pqw
