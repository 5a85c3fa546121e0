// What is known about an encoded weight before it is learned.
#pragma once

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"

namespace pqw {

enum class Foresight {
  kNothing,  // only encoding tells the size: factors are learned first and then quantized by pq
  kSize,     // plan_weight has the exact size
  kOutcome,  // plan_weight has the exact size, and the decoded weight will be closer to the tensor
             // than zeros are, unless near_limits(tensor)
};

Foresight foresight(const CodecOptions& options);

// Whether weights are so near the limits of their type that encoding or rounding may lose them.
bool near_limits(const FloatTensor& tensor);

// Whether the weight decodes to zeros because it will be trained elsewhere (LowRankInit::kZeros).
bool is_placeholder(const CodecOptions& options);

}  // namespace pqw
