// Goes through the items of a plan in the order of the file. A dry run, a run and a resumed run are
// this one walk.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compress/checkpoint.h"
#include "compress/process.h"
#include "pqw/compress/compress.h"

namespace pqw {

struct WalkOptions {
  Mode mode = Mode::kEncode;
  std::string path = {};                         // of the input, for messages
  CompressObserver* observer = nullptr;          // may be null
  const StatisticsReader* statistics = nullptr;  // of the inputs of layers, or null
  // Finished tensors are kept there, and taken from there, unless it is null.
  const Checkpoint* checkpoint = nullptr;
  bool resume = false;
  // Whether finished tensors are to be kept although nobody asked for it.
  std::function<bool()> is_long = [] { return false; };
};

// The items first .. end-1 are in memory together: a large one, or small ones.
std::size_t end_of_batch(const WeightReader& reader, std::span<const WorkItem> plan,
                         std::size_t first);

std::vector<Source> sources_of(const WeightReader& reader, const WorkItem& item);

// Calls `store` for each stored tensor, in the order of the file, and returns their reports. Small
// tensors are encoded side by side, a thread each; a large one by all threads. With `resume`, takes
// the tensors that an interrupted run kept, and keeps the others once they are finished. Without,
// keeps those that are finished while is_long(); if that fails, the walk goes on.
// Errors: those of process and `store`.
std::vector<TensorReport> walk(const WeightReader& reader, std::vector<WorkItem> plan,
                               const WalkOptions& options,
                               const std::function<void(const StoredTensor&)>& store);

}  // namespace pqw
