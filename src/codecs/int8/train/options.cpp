// Options of int8: the table.
#include "codecs/train/fields.h"
#include "codecs/train/gain.h"
#include "pqw/codecs/int8.h"

namespace pqw {

const Fields<Int8Options>& Int8Options::fields() {
  using O = Int8Options;
  static const Fields<O> kFields = {
      Field("per", &O::per,
            choice<Granularity>({{"row", Granularity::kRow}, {"tensor", Granularity::kTensor}}),
            "one scale per output, or one per tensor"),
      Field("scheme", &O::scheme,
            choice<Int8Scheme>(
                {{"symmetric", Int8Scheme::kSymmetric}, {"affine", Int8Scheme::kAffine}}),
            "zero point 0, or a zero point that fits the range of the weights"),
      Field("activations", &O::activations,
            choice<ActivationRange>(
                {{"row", ActivationRange::kRow}, {"batch", ActivationRange::kBatch}}),
            "when multiplying, quantize inputs by the range of each row or of the whole batch"),
      Field("gain", &O::gain, gain_values(),
            "a factor on each scale, to keep the amplitude (unbiased), keep the norm (energy), or "
            "make the error least (least_squares)",
            {.written = [](const O& o) { return o.gain != Gain::kUnbiased; }})};
  return kFields;
}

}  // namespace pqw
