// Product-quantized weights: the value type and decoding. Multiplication from the codes: product.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pqw/core/dtype.h"
#include "pqw/core/matrix_shape.h"
#include "pqw/core/matrix_view.h"
#include "pqw/core/record.h"
#include "pqw/core/tensor.h"

namespace pqw {

// Every run of block_size consecutive columns of a row (a block; the last one of a row is padded
// with zeros) is replaced by a centroid of a codebook. Position p of a row covers the columns
// p*d .. p*d+d-1; the positions are split into n_groups runs of nearly equal length, each with a
// codebook of its own.
struct PqWeight {
  static constexpr const char* kCodec = "pq";

  Shape shape;                // of the original tensor
  DType dtype = DType::kF32;  // of the original tensor
  std::size_t block_size = 0;
  std::size_t n_groups = 1;
  std::size_t n_centroids = 0;         // per group
  DType codebook_dtype = DType::kF16;  // every codebook value is exact in this type: F16 or F32
  std::string options;                 // how it was made, "key=value,key=value"

  // Layout: [n_groups][n_centroids][block_size]: centroid k of group g starts at
  // (g * n_centroids + k) * block_size.
  std::vector<float> codebooks;

  // Layout: [positions][rows], position-major: the code of row r at position p is p * rows + r.
  // Every code is < n_centroids.
  std::vector<std::uint16_t> codes;

  std::size_t rows() const { return matrix_shape(shape).rows; }
  std::size_t cols() const { return matrix_shape(shape).cols; }
  std::size_t positions() const { return (cols() + block_size - 1) / block_size; }

  // The codes of all rows at a position: [rows].
  std::span<const std::uint16_t> codes_of(std::size_t position) const;
};

// The first position of a group; group n_groups ends at n_positions.
std::size_t first_position(std::size_t group, std::size_t n_groups, std::size_t n_positions);

// The group of each position: [max(positions, n_padded)]. Positions past the end of a row belong to
// the last group.
std::vector<std::uint32_t> group_of_positions(const PqWeight& weight, std::size_t n_padded = 0);

// Codes and codebooks as they are stored, without names and tables.
std::size_t size_in_bits(const PqWeight& weight);

// The elements of the matrix.
std::size_t parameter_count(const PqWeight& weight);

// "block_size=8,centroids=256", and "groups=2" where there are several.
std::string summary(const PqWeight& weight);

// Writes the reconstructed matrix. REQUIRES: out is rows() x cols().
void decode(const PqWeight& weight, MutableMatrix out);

// Rows first .. first+out.rows()-1 only. REQUIRES: they exist, out.cols() == cols().
void decode_rows(const PqWeight& weight, std::size_t first, MutableMatrix out);

// To and from what an archive stores. Sections: `codebooks` F16 or F32 [G][K][d], `codes` U8, the
// bit stream of core/bit_packing.h with bits_for(K) bits a code.
// from_record checks everything; errors: kCorrupt and kUnsupported, naming the tensor.
Record to_record(const PqWeight& weight, const std::string& name);
PqWeight pq_from_record(const Record& record);

}  // namespace pqw
