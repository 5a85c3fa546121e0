// Encoding by any codec.
//
// A codec X is: XOptions with a static kCodec, its name; set_option(XOptions&, key, text);
// resolve(XOptions&, shape), which settles what depends on the shape; and three stages that the
// functions below run one after the other:
//   prepare(FloatTensor, const XOptions&) -> P        what planning and encoding have in common
//   plan_weight(const P&, const XOptions&) -> XWeight  of the final size, but not learned
//   encode(const P&, const XOptions&, EmObserver*) -> XWeight
// Optional functions: remarks(const XWeight&, const XOptions&); obstacle(const XOptions&, shape);
// check(const XOptions&), which throws if options contradict each other; and
// unused(const XOptions&, key), which says why an option has no effect together with the other
// options (empty if it has an effect).
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
// Errors: kInvalidArgument, naming the codec, the key and the known ones; also for a setting
// without effect, naming the setting that makes it useless.
CodecOptions options_from(const Settings& settings, const std::string& default_codec = "pq");

// As options_from, but accepts settings without effect and does not check the options of factors.
CodecOptions parse_options(const Settings& settings, const std::string& default_codec);

// Why the option `key` has no effect together with the other options; empty if it has an effect.
std::string why_unused(const CodecOptions& options, std::string_view key);

// `options` with the values that depend on the shape filled in. Encoding does this by itself.
CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape);

// Why the codec cannot make a tensor of that shape smaller; empty if it may.
// REQUIRES: resolved options.
std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape);

// A stand-in for the weight that encode will make, without learning it. It has the same size if the
// size can be told beforehand (foresight.h). Its decoded values mean nothing.
Weight plan_weight(FloatTensor tensor, const CodecOptions& options);

// Deterministic: the result depends on the arguments, not on the number of threads.
// The first low_rank or tensorized weight loads OpenBLAS (libopenblas.so.0) with one thread, unless
// the program has loaded it. While it loads, OPENBLAS_NUM_THREADS and OPENBLAS_CORETYPE are
// changed: no other thread of the program should read the environment then. Errors: those of the
// codec; kIo when OpenBLAS cannot be loaded or limits leave it too little memory.
Weight encode(FloatTensor tensor, const CodecOptions& options, EmObserver* observer = nullptr);

// As encode, but empty if `accepts` refuses the weight for its size. `accepts` gets the planned
// weight before the learning if that has the final size (foresight.h), else the encoded weight.
// Only this function keeps no second copy of the tensor while it learns, and does the work that
// planning and encoding share only once.
std::optional<Weight> encode_if(const std::function<bool(const Weight&)>& accepts,
                                FloatTensor tensor, const CodecOptions& options,
                                EmObserver* observer = nullptr);

// How the weight differs from what the options ask for, as text for people; mostly empty.
// REQUIRES: the weight was made with options of its own codec.
std::string remarks_on(const Weight& weight, const CodecOptions& options);

}  // namespace pqw
