// What a recipe means for the tensors of a file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pqw/codecs/encode.h"
#include "pqw/core/tensor.h"
#include "pqw/pipeline/int8_reference.h"
#include "pqw/pipeline/recipe.h"

namespace pqw {

struct PlanEntry {
  TensorInfo info;
  bool compress = false;
  std::string reason;                    // why not
  CodecOptions options;                  // if so
  std::optional<CodecOptions> fallback;  // instead, where `options` would not make it smaller
  std::string settings;                  // what all of this follows from, as given
  bool plain_if_not_finite = false;      // instead of an error, where there is NaN or infinity
  std::optional<Int8Reference> reference = {};  // values that are int8 already, to be adopted
  // Where this one is among tensors to be encoded as layers of one: all of them, as indices of the
  // plan, rising. The first one stores the factors. Empty for a tensor by itself.
  std::vector<std::size_t> layers = {};
  // The entry of the equal tensor that this one is stored as an alias of; make_plan, which sees no
  // bytes, leaves it empty.
  std::optional<std::size_t> same_as = {};
  std::string note = {};  // why `options` are others than the settings say; mostly empty
};

// What can be told of a recipe without tensors. Errors: kInvalidArgument for a malformed pattern or
// setting, and for a setting without effect (codecs/settings.h): of a rule where the rule itself
// has it, of the defaults where no rule uses it either.
void check_recipe(const Recipe& recipe);
void check_settings(const Settings& settings);
void check_pattern(const Pattern& pattern);

// The settings of the defaults that have no effect, neither there nor in a rule on top of them.
std::vector<UnusedSetting> unused_defaults(const Recipe& recipe);

// One entry per tensor, in the same order, its options resolved. Where codec int8 is chosen for a
// tensor that find_int8_references knows, it is to be adopted, whatever becomes of the entries of
// its scale and zero point. Tensors that are to be compressed are layers of one where their options
// have the same label (TensorizedOptions::joint) and nothing else tells them apart: shape, type,
// options, fallback, policy. Thin tensors get codec int8 where the recipe leaves the codec open
// (recipe.h). Decides by name, type and shape; whether a tensor would shrink or be lost is known
// only when it is looked at (compress.h). Errors: kInvalidArgument for a malformed pattern or
// setting, for a pattern that matches no tensor though it is not optional, naming where it stands,
// and for ranks that do not fit as many layers.
std::vector<PlanEntry> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe);

}  // namespace pqw
