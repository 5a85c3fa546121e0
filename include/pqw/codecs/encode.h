// Encoding by any codec.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/encode_context.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/settings.h"
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

// One way to encode one tensor. Several ways are several encodings, each with a copy of its own.
class Encoding {
 public:
  // Does what size and encode have in common: low_rank decomposes the tensor here. Keeps no copy of
  // the tensor beyond what encode needs. The first low_rank or tensorized weight loads OpenBLAS
  // (libopenblas.so.0) with one thread, unless the program has loaded it. While it loads,
  // OPENBLAS_NUM_THREADS and OPENBLAS_CORETYPE are changed: no other thread of the program should
  // read the environment then. Errors: those of the codec; kIo when OpenBLAS cannot be loaded or
  // limits leave it too little memory.
  Encoding(FloatTensor tensor, const CodecOptions& options);
  Encoding(Encoding&&) noexcept;
  Encoding& operator=(Encoding&&) noexcept;
  ~Encoding();

  // Exact; empty if only encode tells it (for pq factors of learned decompositions).
  std::optional<WeightSize> size() const;

  // Deterministic: the result depends on the arguments, not on the number of threads.
  // Errors: those of the codec and of loading OpenBLAS; kInvalidArgument for importances that the
  // codec does not support.
  Weight encode(const EncodeContext& context = {}) const;

 private:
  struct Stage;
  template <class Codec>
  struct StageOf;
  std::unique_ptr<const Stage> stage_;
};

// How the weight differs from what the options ask for, as text for people; mostly empty. A weight
// from an archive no longer knows what was learned: the shares of low_rank, a limited gain.
// REQUIRES: the weight was made with options of its own codec.
std::string remarks_on(const Weight& weight, const CodecOptions& options);

// Whether the weight will surely be closer to the tensor than zeros are; its size is known then.
bool outcome_is_sure(const CodecOptions& options, const FloatTensor& tensor);

// Whether weights are so near the limits of their type that encoding or rounding may lose them.
bool near_limits(const FloatTensor& tensor);

// Whether the weight decodes to zeros because it will be trained elsewhere (LowRankInit::kZeros).
bool is_placeholder(const CodecOptions& options);

}  // namespace pqw
