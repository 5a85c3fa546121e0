// Encoding with any codec.
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

// Makes options of settings: `codec` (else `default_codec`), then the options of that codec.
// `factors.KEY` sets options of its factors, which are plain unless `factors.codec` says otherwise.
// `other_keys` are keys that the caller handles itself: messages suggest them as well.
// Errors: kInvalidArgument, naming the codec, the key and the known keys; also for a setting
// without effect, naming the setting that makes it useless.
CodecOptions options_from(const Settings& settings, const std::string& default_codec = "pq",
                          const std::vector<std::string>& other_keys = {});

// The options as text, without those of factors: "block_size=4,centroids=256,...".
std::string to_string(const CodecOptions& options);

// `options` with the values that depend on the shape filled in. Encoding does this by itself.
CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape);

// These functions call the members of the options' codec (codec.h).
std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape);
std::optional<WeightSize> size_by_shape(const TensorInfo& tensor, const CodecOptions& options);
bool is_placeholder(const CodecOptions& options);

// One way to encode one tensor. Several ways are several encodings, each with a copy of its own.
class Encoding {
 public:
  // Does the work that size() and encode() share: low_rank decomposes the tensor here. Keeps no
  // more of the tensor than encode() needs. The first low_rank or tensorized weight loads OpenBLAS
  // (libopenblas.so.0) with one thread, unless the program has loaded it. While it loads,
  // OPENBLAS_NUM_THREADS and OPENBLAS_CORETYPE are changed: no other thread of the program should
  // read the environment then. Errors: those of the codec; kIo when OpenBLAS cannot be loaded or
  // limits leave it too little memory.
  Encoding(FloatTensor tensor, const CodecOptions& options);
  Encoding(Encoding&&) noexcept;
  Encoding& operator=(Encoding&&) noexcept;
  ~Encoding();

  // The size, exact or at most; empty if only encode() can tell it (tcq, learned factors of pq).
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

// The differences between the weight and its options, as text for people; often empty. A weight
// from an archive has no remarks on its learning: the shares of low_rank, a limited gain.
// REQUIRES: the weight was made with options of its own codec.
std::string remarks_on(const Weight& weight, const CodecOptions& options);

// True if the weight will certainly be closer to the tensor than zeros are; then its size is known.
bool outcome_is_sure(const CodecOptions& options, const FloatTensor& tensor);

// True if weights are so near the limits of their type that encoding or rounding may lose them.
bool near_limits(const FloatTensor& tensor);

}  // namespace pqw
