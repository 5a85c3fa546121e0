// Lists the operating points of a tensor.
#include "compress/points.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace pqw {
namespace {

constexpr std::array<std::size_t, 6> kBlockSizes = {1, 2, 3, 4, 6, 8};
constexpr std::size_t kFewestCentroids = 16, kSecondProbe = 64;

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

// A series of one or two points is too short for the second probe.
void probe_last_of_short(std::vector<OperatingPoint>& points) {
  if (points.back().number < kSecondProbe) points.back().is_probed_first = true;
}

// With row scales too, if they take little and `base` does not say which.
std::vector<RowScales> scales_to_try(const TensorInfo& info, const PqOptions& base) {
  constexpr std::size_t kFewestColumns = 32;
  std::vector<RowScales> scales = {base.row_scales};
  const bool may = base.row_scales == RowScales::kNone && base.engine == Engine::kNative;
  if (may && matrix_shape(info.shape).cols >= kFewestColumns) scales.push_back(RowScales::kLog8);
  return scales;
}

// Lambda gives the least total error for the bits, but shortens weak rows and channels.
bool wants_least_error(const PqOptions& base, Metric metric) {
  return metric == Metric::kTotal && base.gain == Gain::kLeastSquares;
}

// A series by lambda for each block size, with as many centroids as a byte can name.
void add_entropy_constrained(const TensorInfo& info, const PqOptions& base, std::size_t series,
                             std::vector<OperatingPoint>& points) {
  constexpr std::size_t kCentroids = 256;
  const bool may = base.engine == Engine::kNative && base.n_groups <= 1 && base.n_additive == 1;
  if (!may || !base.entropy_coding) return;
  for (const std::size_t block_size : {1u, 2u, 4u}) {
    if (2 * kCentroids > block_count(info, block_size)) break;
    ++series;
    for (int i = -4; i <= 8; ++i) {
      PqOptions pq = base;
      pq.block_size = block_size;
      pq.n_centroids = kCentroids;
      pq.lambda = 0.02 * std::exp2(i / 2.0);
      points.push_back({pq, pq_bytes(info, pq), series, pq.lambda, i == 0 || i == 4});
    }
  }
}

// A series by `bits`.
void add_tcq(const TensorInfo& info, const PqOptions& base, Metric metric,
             std::size_t n_weights_of_file, std::size_t series,
             std::vector<OperatingPoint>& points) {
  constexpr std::uint64_t kFewestBytes = 160;  // below, states and tables leave nothing to integers
  constexpr std::size_t kLargeShare = 20;
  constexpr double kFewestBits = 0.25, kMostBits = 12, kLeastErrorLambda = 0.3;
  const std::size_t n_weights = element_count(info.shape);
  const double step = n_weights * kLargeShare > n_weights_of_file ? 1.0 / 32 : 1.0 / 8;
  TcqOptions tcq{.gain = base.gain};
  double next_probe = 2;  // bits; the second probe has 4, or a bit more than a first one above 3
  int n_first = 0;
  if (wants_least_error(base, metric)) tcq.lambda = kLeastErrorLambda;
  for (tcq.bits = kFewestBits; tcq.bits <= kMostBits; tcq.bits += step) {
    const CodecOptions options = tcq;
    const std::uint64_t bytes = data_bytes(*estimated_record(info, options));
    if (bytes < kFewestBytes) continue;
    const bool is_first = tcq.bits >= next_probe;
    if (is_first) next_probe = std::max(4.0, tcq.bits + 1);
    points.push_back({options, bytes, series, std::exp2(tcq.bits), is_first && n_first++ < 2});
  }
}

}  // namespace

std::optional<Record> estimated_record(const TensorInfo& info, const CodecOptions& options) {
  const auto* pq = std::get_if<PqOptions>(&options);
  const auto* tcq = std::get_if<TcqOptions>(&options);
  if (tcq == nullptr && (pq == nullptr || pq->lambda == 0)) return std::nullopt;
  const double bytes = tcq == nullptr
                           ? static_cast<double>(pq_bytes(info, *pq))
                           : static_cast<double>(element_count(info.shape)) * tcq->bits / 8;
  // Their names count: the index of an archive holds them.
  Record record{info, codec_name(options), {}, to_string(options), {}};
  for (const char* name : {"codebooks", "codes", "tables"}) {
    record.sections.push_back({name, DType::kU8, {0}, {}});
  }
  record.sections[1].shape = {static_cast<std::size_t>(bytes)};
  return record;
}

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
                                             Metric metric, Use use,
                                             std::size_t n_weights_of_file) {
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
        points.push_back({pq, pq_bytes(info, pq), series, static_cast<double>(k),
                          k == kFewestCentroids || k == kSecondProbe});
      }
      if (points.back().series == series) probe_last_of_short(points);
    }
  }
  if (use != Use::kServing) {
    add_tcq(info, base, metric, n_weights_of_file, ++series, points);
  } else if (wants_least_error(base, metric)) {
    add_entropy_constrained(info, base, series, points);
  }
  return points;
}

}  // namespace pqw
