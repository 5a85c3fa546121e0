// Quantizing float weights to 8-bit integers.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/int8.h"

namespace pqw {

class EmObserver;

enum class Granularity {
  kRow,     // a scale per output (row): each is as fine as its own weights allow
  kTensor,  // one scale for all
};

enum class Int8Scheme {
  kSymmetric,  // -max|w| .. max|w| become -127 .. 127, the zero point is 0
  kAffine,     // min(0, smallest) .. max(0, largest) become -128 .. 127
};

struct Int8Options {
  static constexpr const char* kCodec = "int8";
  static const Fields<Int8Options>& fields();  // a row for each option below

  Granularity per = Granularity::kRow;
  Int8Scheme scheme = Int8Scheme::kSymmetric;
  ActivationRange activations = ActivationRange::kRow;  // when multiplying

  bool operator==(const Int8Options&) const = default;
};

// Quantizes a float matrix; the result has the shape [rows, cols] and the type F32. Every weight
// goes to the nearest of the values of its scale, ties to even, so that it is off by half a scale
// at most (and float rounding). Rows of zeros stay zeros. A row near or
// below the smallest normal float gets a subnormal scale, rounded up; if the scale is the smallest
// float, the weights are exact.
// Errors: kNonFinite; kInvalidArgument for a matrix of no rows.
Int8Weight int8_from_float(ConstMatrix w, const Int8Options& options = {});

// The stages that every codec has (encode.h).
inline void resolve(Int8Options&, std::span<const std::size_t>) {}
inline FloatTensor prepare(FloatTensor tensor, const Int8Options&) { return tensor; }
Int8Weight plan_weight(const FloatTensor& tensor, const Int8Options& options);
Int8Weight encode(const FloatTensor& tensor, const Int8Options& options, EmObserver* observer);

}  // namespace pqw
