// The type in which plain F32 tensors are stored.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "pqw/core/distortion.h"
#include "pqw/core/record.h"

namespace pqw {

enum class PlainDtype {
  kSame,   // F32
  kExact,  // F16, else BF16, if it holds every value exactly; else F32
  kF16,    // rounded to nearest even
  kBF16,
};

// Each of them by its name in settings.
const std::vector<std::pair<std::string, PlainDtype>>& plain_dtypes();

// A tensor in a narrower type; without a record it stays as it is.
struct Narrowed {
  std::optional<Record> record = {};  // of the codec cast
  Distortion distortion = {};         // of the stored values
  std::string note = {};              // the type, or why it is not the one asked for
};

// Whether type and size allow a narrower type: the record would be smaller.
bool may_be_narrowed(const TensorInfo& info, PlainDtype wanted);

// A tensor stays as it is without a note if it may not be narrowed, or is not exact where it is to
// be. It stays with a note if F16 or BF16 is asked for and it holds NaN, holds infinity beside
// values to be rounded, has a finite value beyond the range of the type, or would be lost
// (worth.h). REQUIRES: `bytes` holds the whole tensor.
Narrowed narrowed(const TensorInfo& info, std::span<const std::byte> bytes, PlainDtype wanted);

}  // namespace pqw
