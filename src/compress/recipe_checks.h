// Checks of recipes that need no tensors, and the settings of their rules.
#pragma once

#include <string>
#include <vector>

#include "compress/tensor_pattern.h"
#include "compress/tensor_settings.h"
#include "core/subject.h"
#include "pqw/compress/recipe.h"

namespace pqw {

// Runs `action`; its errors get the place of the pattern in front.
template <class Action>
auto located(const Pattern& pattern, const Action& action) try {
  return action();
} catch (const Error& error) {
  if (pattern.where.empty()) throw;
  throw Subject{pattern.where}.error(error.code(), "{}", error.what());
}

// Errors: kInvalidArgument, with the place of the pattern.
TensorPattern compile(const Pattern& pattern);
std::vector<TensorPattern> compile(const std::vector<Pattern>& patterns);

std::vector<Pattern> patterns_of(const std::vector<Rule>& rules);

// Errors: kInvalidArgument for an importance without a target, for a target that does not fit
// calibration, and for corrected biases without calibration.
void require_fitting_parts(const Recipe& recipe);

// The settings of tensors without a rule. Settings without effect that only some rules use, or that a
// rule inherits, are left out. Errors: kInvalidArgument, also for a default that a target chooses.
TensorSettings choice_of_defaults(const Recipe& recipe);

// The settings of a rule, on top of the defaults. Errors: kInvalidArgument, with the place of the rule.
TensorSettings choice_of_rule(const Recipe& recipe, const Rule& rule);

}  // namespace pqw
