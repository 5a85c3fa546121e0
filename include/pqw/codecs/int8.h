// 8-bit integer weights: the value type, options and codec. Products with them quantize their
// inputs on the fly (dynamic quantization; product.h).
//
// B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-
// Only Inference" (CVPR 2018), eq. 1 to 7.
#pragma once

#include <cstdint>
#include <vector>

#include "pqw/codecs/codec.h"
#include "pqw/codecs/gain.h"

namespace pqw {

struct Int8Codec;

// Which inputs share one range when they are quantized.
enum class ActivationRange {
  kRow,    // each row of x has its own range: its result does not depend on the other rows
  kBatch,  // all rows of a call share one range
};

// W[r][c] = scale(r) * (values[r][c] - zero_point(r)), rounded once to float.
struct Int8Weight : WeightHead {
  using Codec = Int8Codec;

  ActivationRange activations = ActivationRange::kRow;

  std::vector<std::int8_t> values = {};       // [rows][cols], row-major
  std::vector<float> scales = {};             // [rows], or one for all; > 0
  std::vector<std::int8_t> zero_points = {};  // as many as scales, or none: all 0 (symmetric)

  float scale(std::size_t row) const { return scales[scales.size() == 1 ? 0 : row]; }
  int zero_point(std::size_t row) const {
    if (zero_points.empty()) return 0;
    return zero_points[zero_points.size() == 1 ? 0 : row];
  }
};

// Takes a weight over as another program quantized it: [out, in, k...] values, row-major, with one
// scale or one per output, and as many zero points or none. It decodes to the type `dtype`.
// Errors: kInvalidArgument for counts that do not fit, a scale that is not positive and finite, or
// values beyond the range of float.
Int8Weight int8_from_reference(Shape shape, std::vector<std::int8_t> values,
                               std::vector<float> scales, std::vector<std::int8_t> zero_points = {},
                               DType dtype = DType::kF32);

enum class Granularity {
  kRow,     // a scale per output (row): each is as fine as its own weights allow
  kTensor,  // one scale for all
};

enum class Int8Scheme {
  kSymmetric,  // -max|w| .. max|w| become -127 .. 127, the zero point is 0
  kAffine,     // min(0, smallest) .. max(0, largest) become -128 .. 127
};

struct Int8Options {
  using Codec = Int8Codec;
  static constexpr const char* kCodec = "int8";
  static const Fields<Int8Options>& fields();  // a row for each option below

  Granularity per = Granularity::kRow;
  Int8Scheme scheme = Int8Scheme::kSymmetric;
  ActivationRange activations = ActivationRange::kRow;  // when multiplying
  Gain gain = Gain::kUnbiased;                          // a factor on each scale

  bool operator==(const Int8Options&) const = default;
};

// The options of the weight end with the gain, as those of pq do; its factor is the ratio of <w,ŵ>
// after and before. Sections: `values` I8 [rows][cols], `scales` F32 [rows] or [1], `zero_points` I8
// of that shape
// unless all are 0, `activations` U8 [1] = 1 for kBatch. Members: codec.h.
struct Int8Codec : CodecBase<Int8Codec, Int8Weight, Int8Options> {
  static void decode_rows(const Int8Weight& weight, std::size_t first, MutableMatrix out);
  static std::string summary(const Int8Weight& weight);
  static Record to_record(const Int8Weight& weight, const std::string& name);
  static Int8Weight from_record(const Record& record);
  static std::unique_ptr<const Product> make_product(Int8Weight weight,
                                                     const ServeOptions& options);

  static std::optional<WeightSize> size_by_shape(const TensorInfo& tensor,
                                                 const Int8Options& options);
  // Each weight is rounded to the nearest multiple of its scale, ties to even, so its error is at
  // most half a scale (and float rounding). Rows of zeros stay zeros. A row near or below the
  // smallest normal float gets a subnormal scale, rounded up; if the scale is the smallest float,
  // the weights are exact.
  static Int8Weight encode(const FloatTensor& prepared, const Int8Options& options,
                           const EncodeContext& context);
};

}  // namespace pqw
