// Whether a tensor can be compressed and whether that is worth it.
#include "pipeline/candidate.h"

#include "pqw/core/error.h"

namespace pqw {
namespace {

// What the tables of an archive take for one compressed tensor, about.
constexpr std::size_t kRecordOverheadBytes = 512;

}  // namespace

bool shrinks(const Weight& weight, const TensorInfo& info, std::size_t n_tensors) {
  const std::size_t bytes = (size_in_bits(weight) + 7) / 8;
  return bytes + n_tensors * kRecordOverheadBytes < n_tensors * byte_count(info);
}

std::optional<FloatTensor> read_finite(const WeightReader& reader, std::size_t index,
                                       const PlanEntry& entry) {
  try {
    const TensorBytes bytes = reader.read(index);  // gone before the learning starts
    return read_floats(entry.info, bytes.view());
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kNonFinite || !entry.plain_if_not_finite) throw;
    return std::nullopt;
  }
}

}  // namespace pqw
