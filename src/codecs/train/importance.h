// Codecs that do not support importances.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "pqw/codecs/encode_context.h"
#include "pqw/core/error.h"

namespace pqw {

inline void refuse_importances(const EncodeContext& context, std::string_view codec) {
  if (context.importance == nullptr) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("codec {} does not support importances; use pq", codec));
}

}  // namespace pqw
