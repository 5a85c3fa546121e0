// What the format allows for a tensor, in any version.
#pragma once

#include "core/subject.h"
#include "pqw/core/record.h"

namespace pqw::archive {

// Throws an error of the subject, which names the tensor, if its name, type or shape is beyond the
// format. kUnsupported for more than 32 dimensions.
void check_tensor(const TensorInfo& info, const Subject& subject);

// The same for everything else in a compressed tensor; the bytes of sections do not matter.
void check_record(const Record& record, const Subject& subject);

}  // namespace pqw::archive
