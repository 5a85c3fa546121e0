// Encoding by any codec.
//
// A codec X is: XOptions with a static kCodec, its name; set_option(XOptions&, key, text);
// resolve(XOptions&, shape), which settles what depends on the shape; and three stages that the
// functions below run one after the other:
//   prepare(FloatTensor, const XOptions&) -> P        what planning and encoding have in common
//   plan_weight(const P&, const XOptions&) -> XWeight  of the final size, but not learned
//   encode(const P&, const XOptions&, EmObserver*) -> XWeight
// and, where there is something to say, remarks(const XWeight&, const XOptions&),
// obstacle(const XOptions&, shape), check(const XOptions&), which throws what is wrong with options
// together, and unused(const XOptions&, key), which says why an option has no effect beside the
// others (empty when it has one).
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
// Errors: kInvalidArgument, naming the codec, the key and what is known; for a setting without
// effect, naming the one that takes it.
CodecOptions options_from(const Settings& settings, const std::string& default_codec = "pq");

// As options_from, but takes settings without effect and leaves the options of factors alone.
CodecOptions parse_options(const Settings& settings, const std::string& default_codec);

// Why an option of that name has no effect beside the others; empty when it has one.
std::string why_unused(const CodecOptions& options, std::string_view key);

// With what depends on the shape settled. Encoding does so itself.
CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape);

// Why the codec has nothing to gain on that shape; empty when it may have.
// REQUIRES: resolved options.
std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape);

// The weight that encode will make, without the learning, of the same size where that can be
// foreseen (foresight.h). It decodes to nothing useful.
Weight plan_weight(FloatTensor tensor, const CodecOptions& options);

// Deterministic: the result depends on the arguments, not on the number of threads.
// The first low_rank or tensorized weight loads OpenBLAS (libopenblas.so.0), unless the program
// has, with one thread; meanwhile OPENBLAS_NUM_THREADS and OPENBLAS_CORETYPE are other ones, so no
// other thread of the program should read the environment. Errors: those of the codec; kIo when
// OpenBLAS cannot be loaded or limits leave it no memory.
Weight encode(FloatTensor tensor, const CodecOptions& options, EmObserver* observer = nullptr);

// As encode, unless `accepts` refuses the weight for its size. It is asked with plan_weight, before
// the learning, where that tells the size (foresight.h), else with what was encoded. Of the
// functions here, only this one keeps no second copy of the tensor while it learns and does what
// planning and encoding need once.
std::optional<Weight> encode_if(const std::function<bool(const Weight&)>& accepts,
                                FloatTensor tensor, const CodecOptions& options,
                                EmObserver* observer = nullptr);

// What turned out otherwise than the options say, for people; mostly empty.
// REQUIRES: the weight was made with options of its own codec.
std::string remarks_on(const Weight& weight, const CodecOptions& options);

}  // namespace pqw
