// Carries out an item of a plan: makes stored tensors of the tensors of the input.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "compress/plan.h"
#include "compress/source.h"
#include "pqw/archive/archive.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/core/record.h"
#include "pqw/pipeline/report.h"

namespace pqw {

// kSize does only the work that sizes and reports depend on: it reads and learns less. Its content
// has the final size, but may lack the bytes.
enum class Mode { kSize, kEncode };

// The bytes of a tensor as they are; null if only the size counts.
struct PlainBytes {
  std::shared_ptr<const std::vector<std::byte>> bytes;
};

// The content that an archive stores for one tensor.
struct StoredTensor {
  TensorInfo info;
  std::variant<Record, PlainBytes> content;
  TensorReport report;  // with the distortion in mode kEncode
};

// The floats of a tensor, in the canonical order, or why it stays plain.
struct Floats {
  std::optional<FloatTensor> tensor;
  std::string obstacle = {};
};

// Errors: those of the reader and of read_floats, if the item does not keep such tensors.
Floats floats_of(Source& source, const Encode& encode);

// Adds a tensor to an archive or to its size.
void add(const StoredTensor& tensor, ArchiveWriter& writer);
void add(const StoredTensor& tensor, ArchiveSizer& sizer);

// What encoding may use beside the tensors of an item.
struct EncodeAids {
  EmObserver* observer = nullptr;                // may be null
  const StatisticsReader* statistics = nullptr;  // of the inputs of layers, or null
};

// Returns one stored tensor per tensor of the item, in order; for adopted int8 tensors, one for
// all. Measures each stored tensor, and its outputs if it has statistics. Messages call the input `path`. Errors: those of the reader, of
// read_floats and of encode. REQUIRES: the action is not Alias; sources are those of the item.
std::vector<StoredTensor> process(const WorkItem& item, std::span<Source> sources, Mode mode,
                                  const std::string& path, const EncodeAids& aids = {});

// An alias of a tensor with that report.
StoredTensor alias_of(const TensorReport& target, const TensorInfo& info);

}  // namespace pqw
