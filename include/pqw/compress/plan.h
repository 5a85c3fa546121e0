// Applies a recipe to the tensors of a file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/tensor.h"
#include "pqw/pipeline/int8_reference.h"

namespace pqw {

struct PlanEntry {
  TensorInfo info;
  bool compress = false;
  std::string reason;                    // why it is not compressed
  CodecOptions options;                  // how it is compressed
  std::optional<CodecOptions> fallback;  // used if `options` would not shrink it, or lose it
  std::string settings;                  // the settings that this entry follows from, as given
  bool plain_if_not_finite = false;      // else NaN or infinity is an error
  std::optional<Int8Reference> reference = {};  // values that are int8 already, to be adopted
  // If the tensor is a layer of a joint tensor: the entries of all its layers, in rising order. The
  // first one stores the factors. Empty for every other tensor.
  std::vector<std::size_t> layers = {};
  // If the tensor is stored as an alias: the entry of its target. make_plan sees no bytes and
  // leaves it empty.
  std::optional<std::size_t> same_as = {};
  std::string note = {};  // why `options` differ from the settings; mostly empty
};

// Checks all of a recipe that can be checked without tensors. Errors: kInvalidArgument for a
// malformed pattern or setting, for an own setting of a rule without effect (codecs/settings.h),
// and for a default without effect that no rule uses.
void check_recipe(const Recipe& recipe);
void check_settings(const Settings& settings);
void check_pattern(const Pattern& pattern);

// The defaults that have no effect, neither on their own nor with any rule on top.
std::vector<UnusedSetting> unused_defaults(const Recipe& recipe);

// `recipe` with `settings` on top of its defaults. Defaults that they make useless are left out,
// such as the seed of form cp if they say form tt.
Recipe with_settings(Recipe recipe, const Settings& settings);

// Returns one entry per tensor, in the same order, with resolved options. The plan depends on
// names, types and shapes only; whether a tensor would shrink or be lost is found out later
// (compress.h).
// - A tensor with codec int8 that find_int8_references knows is adopted, whatever the entries of
// its
//   scale and zero point say.
// - Compressed tensors with the same label (TensorizedOptions::joint) and equal shape, type,
// options,
//   fallback and policy are layers of one joint tensor.
// - Thin tensors get codec int8 if the recipe names no codec for them (recipe.h).
// Errors: kInvalidArgument for a malformed pattern or setting, for a pattern that matches no tensor
// and is not optional (the message says where it stands), and for ranks that do not fit the number
// of layers.
std::vector<PlanEntry> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe);

}  // namespace pqw
