// Tensors that equal another one of their archive: a record of its name.
#pragma once

#include <string>

#include "pqw/core/record.h"

namespace pqw {

inline constexpr char kAliasCodec[] = "alias";

// Layout: section `tensor`, U8 [n], the name of the other tensor, which has the same type and shape
// and is no alias.
Record alias_record(const TensorInfo& info, const std::string& tensor);

// That name. Errors: kUnsupported (features), kCorrupt.
std::string alias_target(const Record& record);

}  // namespace pqw
