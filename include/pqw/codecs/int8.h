// Weights in 8-bit integers, multiplied with inputs that are quantized as they come (dynamic
// quantization): the value type and decoding. Multiplication: product.h.
//
// B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
// Only Inference" (CVPR 2018), eq. 1 to 7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "pqw/core/dtype.h"
#include "pqw/core/matrix_shape.h"
#include "pqw/core/matrix_view.h"
#include "pqw/core/record.h"
#include "pqw/core/tensor.h"

namespace pqw {

// What shares the range that inputs are quantized by.
enum class ActivationRange {
  kRow,    // every row of x has its own: results do not depend on what else is in the batch
  kBatch,  // all of the x of a call
};

// W[r][c] = scale(r) * (values[r][c] - zero_point(r)), rounded once to float.
struct Int8Weight {
  static constexpr const char* kCodec = "int8";

  Shape shape;                // of the original tensor
  DType dtype = DType::kF32;  // of the original tensor
  ActivationRange activations = ActivationRange::kRow;
  std::string options;  // how it was made, "key=value,key=value"

  std::vector<std::int8_t> values;       // [rows][cols], row-major
  std::vector<float> scales;             // [rows], or one for all; > 0
  std::vector<std::int8_t> zero_points;  // as many as scales, or none: all 0 (symmetric)

  std::size_t rows() const { return matrix_shape(shape).rows; }
  std::size_t cols() const { return matrix_shape(shape).cols; }
  float scale(std::size_t row) const { return scales[scales.size() == 1 ? 0 : row]; }
  int zero_point(std::size_t row) const {
    if (zero_points.empty()) return 0;
    return zero_points[zero_points.size() == 1 ? 0 : row];
  }
};

// Adopts a weight that was quantized elsewhere, as it is: [out, in, k...] values, row-major, with
// one scale or one per output, and as many zero points or none. `dtype` is what it decodes to.
// Errors: kInvalidArgument for counts that do not fit, a scale that is not positive and finite, or
// values beyond the range of float.
Int8Weight int8_from_reference(Shape shape, std::vector<std::int8_t> values,
                               std::vector<float> scales, std::vector<std::int8_t> zero_points = {},
                               DType dtype = DType::kF32);

// Values, scales and zero points as they are stored, without names and tables.
std::size_t size_in_bits(const Int8Weight& weight);

// The elements of the matrix.
std::size_t parameter_count(const Int8Weight& weight);

// "per=row,scheme=symmetric,activations=row"
std::string summary(const Int8Weight& weight);

// Writes the matrix of floats. REQUIRES: out is rows() x cols().
void decode(const Int8Weight& weight, MutableMatrix out);

// Rows first .. first+out.rows()-1 only. REQUIRES: they exist, out.cols() == cols().
void decode_rows(const Int8Weight& weight, std::size_t first, MutableMatrix out);

// To and from what an archive stores. Sections: `values` I8 [rows][cols], `scales` F32 [rows] or
// [1], `zero_points` I8 of that shape unless all are 0, `activations` U8 [1] = 1 for kBatch.
// from_record checks everything; errors: kCorrupt and kUnsupported, naming the tensor.
Record to_record(const Int8Weight& weight, const std::string& name);
Int8Weight int8_from_record(const Record& record);

}  // namespace pqw
