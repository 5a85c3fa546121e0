// Regular expressions over tensor names.
#include "pipeline/name_pattern.h"

#include <re2/re2.h>

#include "core/subject.h"
#include "pqw/core/text.h"

namespace pqw {

struct NamePattern::Impl {
  explicit Impl(const std::string& pattern) : expression(pattern, RE2::Quiet) {}
  RE2 expression;
};

NamePattern::NamePattern(const std::string& pattern)
    : text_(pattern), impl_(std::make_unique<Impl>(pattern)) {
  if (impl_->expression.ok()) return;
  throw Subject{}
      .in("pattern", pattern)
      .error(ErrorCode::kInvalidArgument, "{}", shown(impl_->expression.error()));
}

NamePattern::~NamePattern() = default;
NamePattern::NamePattern(NamePattern&&) noexcept = default;

bool NamePattern::matches(const std::string& name) const {
  return RE2::PartialMatch(name, impl_->expression);
}

}  // namespace pqw
