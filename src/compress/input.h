// The weights that a run compresses, and the plan for them.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "compress/plan.h"
#include "pqw/archive/archive.h"
#include "pqw/calibration/statistics_file.h"
#include "pqw/compress/recipe.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

struct Input {
  std::unique_ptr<WeightReader> reader;
  std::vector<WorkItem> plan;
  std::unique_ptr<const StatisticsReader> statistics;  // or null
  ArchiveWriterOptions archive_options;
  std::size_t n_tensors = 0;  // that the archive will have
  std::size_t n_weights = 0;  // in them
};

// Opens a weight file and plans the run. Errors: those of open_weights and make_plan;
// kInvalidArgument for an archive, or for statistics of another model; those of StatisticsReader; kUnsupported for items that are not tensors, unless the recipe
// skips them.
Input open_input(const std::string& path, const Recipe& recipe, const ReadOptions& options);

}  // namespace pqw
