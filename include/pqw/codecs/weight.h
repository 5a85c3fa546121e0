// The list of codecs, and a weight of any codec.
#pragma once

#include <string>

#include "pqw/codecs/codec.h"
#include "pqw/codecs/int8.h"
#include "pqw/codecs/low_rank.h"
#include "pqw/codecs/plain.h"
#include "pqw/codecs/pq.h"
#include "pqw/codecs/tcq.h"
#include "pqw/codecs/tensorized.h"

namespace pqw {

using Codecs = CodecList<PlainCodec, PqCodec, Int8Codec, LowRankCodec, TensorizedCodec, TcqCodec>;

struct Weight : Codecs::Weights {
  using Base = Codecs::Weights;
  using Base::Base;
};

// The options of any codec, which also say which codec it is.
struct CodecOptions : Codecs::Options {
  using Base = Codecs::Options;
  using Base::Base;
};

// "pq", "plain", ...
std::string codec_name(const Weight& weight);

const WeightHead& head_of(const Weight& weight);

// These functions call the members of the weight's codec (codec.h).
void decode_rows(const Weight& weight, std::size_t first, MutableMatrix out);
std::size_t parameter_count(const Weight& weight);
std::string summary(const Weight& weight);

// The record for an archive. A plain weight has a record only as a part of another weight; archives
// store plain tensors without one.
Record to_record(const Weight& weight, const std::string& name);

// The weight of a record, by its codec. Errors: kUnsupported for an unknown codec, and those of
// the codec's from_record.
Weight weight_from_record(const Record& record);

}  // namespace pqw
