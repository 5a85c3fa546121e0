// Weights that other programs product-quantized: finds the tensors of a file that belong together.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/pq.h"
#include "pqw/core/tensor.h"

namespace pqw {

// How the tensors of a weight are stored. d is the block size, K the number of centroids.
enum class PqLayout {
  // kill-the-bits and the iPQ of fairseq:
  //   NAME.centroids    float [K, d]
  //   NAME.assignments  integers [positions * rows]: code p * rows + r is of row r at position p
  //   NAME.counts       [K], may be missing: how often each centroid occurs; it is left out
  kAssignments,
  // AQLM, for blocks of one row; rows and columns follow from the codes. The centroids of M
  // codebooks are added:
  //   NAME.codes      integers [rows, positions, M], modulo K, which is a power of two
  //   NAME.codebooks  float [M, K, 1, d]
  //   NAME.scales     float [rows, 1, 1, 1], may be missing: the factors of the rows
  kAqlm,
};

// Indices of the tensors of a weight, and what their shapes tell.
struct PqReference {
  std::string weight;  // NAME.weight
  PqLayout layout;
  std::size_t codes;
  std::size_t centroids;
  std::optional<std::size_t> scales = {};
  std::optional<std::size_t> counts = {};

  std::size_t n_blocks = 0;
  std::size_t n_additive = 1;  // codebooks whose centroids are added; a block has as many codes
  std::size_t n_centroids = 0;
  std::size_t block_size = 0;
  std::size_t rows = 0;  // 0: the shape of the weight must tell
};

// Errors: kFormat for tensors that lack others, or whose types and shapes do not fit; kUnsupported
// for more than kMostAdditive codebooks, too many centroids or blocks of several rows. Messages
// name the file `path`.
std::vector<PqReference> find_pq_references(const std::string& path,
                                            std::span<const TensorInfo> tensors);

// Throws kInvalidArgument unless codes and shape have equally many blocks, and whole ones.
void require_shape(const std::string& path, const PqReference& reference, const Shape& shape);

// The bytes of the tensors; scales are empty if there are none.
struct PqParts {
  std::span<const std::byte> codes, centroids, scales;
};

// The weight, whose values are those that the other program decodes. Its codebook is F16 if all
// centroids are exact in F16, else F32. Errors: kFormat for codes beyond the centroids, NaN and
// infinity; kUnsupported for scales that are negative, or neither all exact in F16 nor all exact in
// RowScales::kLog8.
// REQUIRES: require_shape(reference, shape).
PqWeight pq_from_reference(const std::string& path, const PqReference& reference,
                           std::span<const TensorInfo> tensors, const PqParts& parts,
                           const Shape& shape, DType dtype);

}  // namespace pqw
