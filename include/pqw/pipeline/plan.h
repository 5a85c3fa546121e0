// What a recipe means for the tensors of a file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/pq_encode.h"
#include "pqw/core/tensor.h"
#include "pqw/pipeline/recipe.h"

namespace pqw {

struct PlanEntry {
  TensorInfo info;
  bool compress = false;
  std::string reason;  // why not
  PqOptions options;   // if so
};

// What can be told of a recipe without tensors. Errors: kInvalidArgument for a malformed pattern or
// setting.
void check_recipe(const Recipe& recipe);
void check_settings(const Settings& settings);

// Block size for `auto`: 9 for 3x3 kernels, 4 for 1x1 kernels, for other kernels the divisor of
// in*k... nearest to 8 (the smaller of two), 8 for matrices.
std::size_t auto_block_size(std::span<const std::size_t> shape);

// One entry per tensor, in the same order; blocks are no longer than a row. Decides by name, type
// and shape; whether a tensor would shrink is known only when its blocks are (compress.h). Errors:
// kInvalidArgument for a malformed pattern or setting and for a pattern that matches no tensor.
std::vector<PlanEntry> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe);

}  // namespace pqw
