// Encoding by any codec.
//
// A codec X is: XOptions with a static kCodec, its name; set_option(XOptions&, key, text);
// resolve(XOptions&, shape), which settles what depends on the shape; and three stages that the
// functions below run one after the other:
//   prepare(FloatTensor, const XOptions&) -> P        what planning and encoding have in common
//   plan_weight(const P&, const XOptions&) -> XWeight  of the final size, but not learned
//   encode(const P&, const XOptions&, EmObserver*) -> XWeight
// and, where there is something to say, remarks(const XWeight&, const XOptions&),
// obstacle(const XOptions&, shape) and check(const XOptions&), which throws what is wrong with
// options together.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/int8_encode.h"
#include "pqw/codecs/low_rank_encode.h"
#include "pqw/codecs/plain_encode.h"
#include "pqw/codecs/pq_encode.h"
#include "pqw/codecs/settings.h"
#include "pqw/codecs/tensorized_encode.h"
#include "pqw/codecs/weight.h"

namespace pqw {

// "pq", "plain", ...
std::string codec_name(const CodecOptions& options);

// The options that settings mean: `codec` (else `default_codec`), then the options of that codec;
// `factors.KEY` are those of its factors, which are plain unless `factors.codec` says otherwise.
// Errors: kInvalidArgument, naming the codec, the key and what is known.
CodecOptions options_from(const Settings& settings, const std::string& default_codec = "pq");

// With what depends on the shape settled. Encoding does so itself.
CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape);

// Why the codec has nothing to gain on that shape; empty when it may have.
// REQUIRES: resolved options.
std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape);

// The weight that encode will make, to the last bit of its size, without the learning. It decodes
// to nothing useful.
Weight plan_weight(FloatTensor tensor, const CodecOptions& options);

// Deterministic: the result depends on the arguments, not on the number of threads.
// Errors: those of the codec.
Weight encode(FloatTensor tensor, const CodecOptions& options, EmObserver* observer = nullptr);

// As encode, unless `accepts` refuses what plan_weight tells. Of the two, only this one keeps no
// second copy of the tensor while it learns and does what both need once.
std::optional<Weight> encode_if(const std::function<bool(const Weight& plan)>& accepts,
                                FloatTensor tensor, const CodecOptions& options,
                                EmObserver* observer = nullptr);

// What turned out otherwise than the options say, for people; mostly empty.
// REQUIRES: the weight was made with options of its own codec.
std::string remarks_on(const Weight& weight, const CodecOptions& options);

}  // namespace pqw
