// The operating points of a tensor: options that a search for a target may choose.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "compress/quality.h"
#include "pqw/codecs/encode.h"
#include "pqw/compress/target.h"

namespace pqw {

struct OperatingPoint {
  CodecOptions options;  // resolved
  // data_bytes of its record; of tcq an estimate. Too many for pq if the tensor has few distinct
  // blocks or its codes are entropy-coded.
  std::uint64_t bytes = 0;
  // Points of one series are alike but for one number: their errors follow from each other
  // (`number` to some power). Series 0 has one point only.
  std::size_t series = 0;
  double number = 0;
  bool is_probed_first = true;  // true for two points of a series, or for its only one
};

// Codebooks, codes and row scales of pq, if the tensor has as many distinct blocks as centroids.
// REQUIRES: resolved options.
std::uint64_t pq_bytes(const TensorInfo& info, const PqOptions& options);

// Options for a tensor of that type and shape, without plain. Options of pq that are not chosen
// here are those of `base`; points of tcq have the gain of `base`. If that is least_squares and the
// metric is `total`, tcq has a lambda, and for serving there are points of pq with one. A tensor
// with a large share of the weights of the file has more points of tcq.
std::vector<OperatingPoint> operating_points(const TensorInfo& info, const PqOptions& base,
                                             Metric metric, Use use, std::size_t n_weights_of_file);

// A record of about the size that the tensor takes with these options, if only encoding tells the
// size: tcq, and pq with a lambda. Its sections have shapes, but no bytes. Empty for other options.
std::optional<Record> estimated_record(const TensorInfo& info, const CodecOptions& options);

}  // namespace pqw
