// Encoding tensors in batches, or taking them from what an interrupted run kept.
#pragma once

#include <cstddef>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compress/joint_groups.h"
#include "compress/kept_tensors.h"
#include "pqw/codecs/encode.h"
#include "pqw/compress/compress.h"
#include "pqw/compress/plan.h"

namespace pqw {

// A compressed tensor and the options that made it: those of its entry, or the fallback.
struct Compressed {
  Weight weight;
  const CodecOptions* options;
};

// A tensor on its way from the input to the archive.
struct Job {
  std::size_t index;
  const PlanEntry* entry;
  std::optional<FloatTensor> tensor = {};
  std::vector<FloatTensor> layers = {};       // instead, of a group that this one owns
  std::optional<Compressed> compressed = {};  // when it is worth it
  std::optional<Record> record = {};          // of `compressed`, once it was kept or was found kept
  std::optional<Distortion> distortion = {};  // of `compressed`, once measured
  std::string reason = {};                    // why it is plain, beyond that of its entry
  std::vector<std::string> faults = {};       // why encodings of it were not taken
  bool tried = false;                         // encoded since it was last settled
  bool settled = false;                       // there is nothing left to try
  std::exception_ptr error = {};
};

// The tensors first .. of the next batch: a large one, or small ones.
std::vector<Job> next_batch(std::span<const PlanEntry> plan, std::size_t first);

// Encodes the tensors of a batch, or takes them from a part; keeps them unless they are the last.
// With Resume::kNo, a part that cannot be written ends the keeping and not the run. Joint layers
// but the owner are left to `groups`.
void finish_batch(const WeightReader& reader, std::span<const PlanEntry> plan, KeptTensors& folder,
                  Resume resume, JointGroups& groups, std::vector<Job>& batch,
                  CompressObserver* observer);

}  // namespace pqw
