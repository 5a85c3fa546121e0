// The operating points of a tensor: options that a search for a target may choose.
#pragma once

#include <cstdint>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/compress/target.h"

namespace pqw {

struct OperatingPoint {
  CodecOptions options;  // resolved
  std::uint64_t bytes =
      0;  // data_bytes of its record, or more if the tensor has few distinct blocks
  // Points of one series are alike but for one number: their errors follow from each other
  // (`number` to some power). Series 0 has one point only.
  std::size_t series = 0;
  double number = 0;
};

// Codebooks, codes and row scales of pq, if the tensor has as many distinct blocks as centroids.
// REQUIRES: resolved options.
std::uint64_t pq_bytes(const TensorInfo& info, const PqOptions& options);

// Options for a tensor of that type and shape, plain not among them. Options of pq that are not
// chosen here are those of `base`.
std::vector<OperatingPoint> operating_points(const TensorInfo& info, const PqOptions& base,
                                             Use use);

struct Probed {
  double relative_error = 0;
  double saved_bytes = 0;  // of the tensor by entropy coding
};

// About the error of the tensor by these options, and its bytes, at little effort: from evenly
// spaced rows of a large tensor, and few iterations. Deterministic.
Probed probe(const FloatTensor& tensor, const CodecOptions& options);

}  // namespace pqw
