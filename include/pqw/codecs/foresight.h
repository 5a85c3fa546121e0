// What can be told of an encoded weight before it is learned.
#pragma once

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"

namespace pqw {

enum class Foresight {
  kNothing,  // only encoding tells the size: of factors that are learned and then quantized by pq
  kSize,     // plan_weight has the exact size
  kOutcome,  // besides, the weight is closer to the tensor than zeros are, unless the weights of
             // the tensor are near the limits of their type
};

Foresight foresight(const CodecOptions& options);

// Whether weights are so large or small that encoding or rounding to their type may lose them.
bool near_limits(const FloatTensor& tensor);

// Whether the weight decodes to zeros, as it is to be trained elsewhere (LowRankInit::kZeros).
bool is_placeholder(const CodecOptions& options);

}  // namespace pqw
