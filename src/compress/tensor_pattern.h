// Patterns that select tensors by name, kind, rank and size.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/name_pattern.h"
#include "pqw/core/tensor.h"

namespace pqw {

// A regular expression on the name (name_pattern.h); or conditions that all hold, joined by '&':
//   kind=NAME  kind!=NAME               a kind (core/layout.h)
//   rank OP N  size OP N                OP is one of = != < <= > >=; size counts elements
//   name=REGEX                          the last condition: takes the rest of the text
// A text that starts with kind, rank, size or name and an operator is a list of conditions.
class TensorPattern {
 public:
  // Errors: kInvalidArgument, quoting the pattern.
  explicit TensorPattern(const std::string& text);

  bool matches(const TensorInfo& info) const;

 private:
  using Condition = std::function<bool(const TensorInfo& info)>;
  std::vector<Condition> conditions_;
  std::optional<NamePattern> name_;
};

}  // namespace pqw
