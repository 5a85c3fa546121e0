// Weights kept as they were, for where a codec is to be named: factors of others, fallbacks.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "pqw/codecs/codec_options.h"
#include "pqw/codecs/float_tensor.h"
#include "pqw/codecs/plain.h"

namespace pqw {

class EmObserver;

struct PlainOptions {
  static constexpr const char* kCodec = "plain";
  static const Fields<PlainOptions>& fields();  // a row for each option below

  bool operator==(const PlainOptions&) const = default;
};

// The stages that every codec has (encode.h).
inline void resolve(PlainOptions&, std::span<const std::size_t>) {}
inline FloatTensor prepare(FloatTensor tensor, const PlainOptions&) { return tensor; }
PlainWeight plan_weight(const FloatTensor& tensor, const PlainOptions& options);
PlainWeight encode(const FloatTensor& tensor, const PlainOptions& options, EmObserver* observer);

}  // namespace pqw
