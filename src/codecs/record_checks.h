// What reading a record of any codec checks first.
#pragma once

#include <string>

#include "pqw/core/record.h"

namespace pqw {

// Throws Error(kCorrupt): "tensor 'NAME': what".
[[noreturn]] void corrupt_record(const Record& record, const std::string& what);

// Errors: kUnsupported.
void require_no_features(const Record& record);

// The shape is a matrix, its type a float type, and the record needs no feature.
// Errors: kCorrupt, and kUnsupported for features.
void require_matrix_record(const Record& record);

// The section of that name, as many bytes long as its shape says. Errors: kCorrupt.
const Section& required_section(const Record& record, const std::string& name);

}  // namespace pqw
