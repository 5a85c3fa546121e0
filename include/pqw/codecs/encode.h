// Encoding by any codec.
//
// A codec X is: XOptions with a static kCodec, its name, and fields(), the table of its options;
// resolve(XOptions&, shape), which settles what depends on the shape; and three stages that the
// functions below run one after the other:
//   prepare(FloatTensor, const XOptions&) -> P        what planning and encoding have in common
//   plan_weight(const P&, const XOptions&) -> XWeight  of the final size, but not learned
//   encode(const P&, const XOptions&, EmObserver*) -> XWeight
// Optional functions: remarks(const XWeight&, const XOptions&); obstacle(const XOptions&, shape);
// check(const XOptions&), which throws if options contradict each other.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
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
// `other_keys` are keys that the caller takes itself: messages suggest them as well.
// Errors: kInvalidArgument, naming the codec, the key and the known ones; also for a setting
// without effect, naming the setting that makes it useless.
CodecOptions options_from(const Settings& settings, const std::string& default_codec = "pq",
                          const std::vector<std::string>& other_keys = {});

// Their text: "block_size=4,centroids=256,...", without the options of factors.
std::string to_string(const CodecOptions& options);

// `options` with the values that depend on the shape filled in. Encoding does this by itself.
CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape);

// Why the codec cannot make a tensor of that shape smaller; empty if it may.
// REQUIRES: resolved options.
std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape);

// A weight as it will be stored, known before it is learned.
struct WeightSize {
  Record record;                 // sections have types and shapes, but no bytes
  std::string summary;           // as summary(weight) will be
  std::size_t n_parameters = 0;  // as parameter_count(weight) will be
  std::size_t inner_width = 0;   // of low_rank: its rank
  std::string remarks;           // as remarks_on(weight, options), without those on what is learned
};

// What goes along with an encoding.
struct EncodeContext {
  EmObserver* observer = nullptr;
  const PqImportance* importance = nullptr;  // for pq alone
};

// One way to encode one tensor. Several ways are several encodings, each of its own copy.
class Encoding {
 public:
  // Does what size and encode have in common: low_rank decomposes the tensor here. Keeps no copy of
  // the tensor beyond what encode needs. Errors: those of the codec; kIo when OpenBLAS cannot be
  // loaded (see encode).
  Encoding(FloatTensor tensor, const CodecOptions& options);
  Encoding(Encoding&&) noexcept;
  Encoding& operator=(Encoding&&) noexcept;
  ~Encoding();

  // Exact; empty if only encode tells it (for pq factors of learned decompositions).
  std::optional<WeightSize> size() const;

  // Deterministic: the result depends on the arguments, not on the number of threads.
  // Errors: those of the codec; kInvalidArgument for importances that the codec does not support.
  Weight encode(const EncodeContext& context = {}) const;

 private:
  struct Stage;
  template <class Options>
  struct StageOf;
  std::unique_ptr<const Stage> stage_;
};

// The size of the first of n_layers joint layers like this one, which stores the factors of all;
// empty if only encode_joint tells it. Errors: those of make_layout.
std::optional<WeightSize> joint_size(const TensorInfo& layer, std::size_t n_layers,
                                     const TensorizedOptions& options);

// Whether the weight will surely be closer to the tensor than zeros are; its size is known then.
bool outcome_is_sure(const CodecOptions& options, const FloatTensor& tensor);

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
