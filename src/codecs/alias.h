// Aliases: if a tensor equals another tensor of its archive, a record stores only that one's name.
#pragma once

#include <string>

#include "pqw/core/record.h"

namespace pqw {

inline constexpr char kAliasCodec[] = "alias";

// Layout: section `tensor`, U8 [n], the name of the target, which has the same type and shape and
// is not an alias.
Record alias_record(const TensorInfo& info, const std::string& tensor);

// The name of the target. Errors: kUnsupported (features), kCorrupt.
std::string alias_target(const Record& record);

}  // namespace pqw
