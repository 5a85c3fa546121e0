// Regular expressions over tensor names.
#include "pipeline/name_pattern.h"

#include <re2/re2.h>

#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {

struct NamePattern::Impl {
  explicit Impl(const std::string& pattern) : expression(pattern, RE2::Quiet) {}
  RE2 expression;
};

NamePattern::NamePattern(const std::string& pattern)
    : text_(pattern), impl_(std::make_unique<Impl>(pattern)) {
  if (impl_->expression.ok()) return;
  constexpr std::size_t kMaxShown = 200;
  throw Error(ErrorCode::kInvalidArgument,
              quoted("pattern", pattern) + ": " +
                  printable(impl_->expression.error().substr(0, kMaxShown)));
}

NamePattern::~NamePattern() = default;
NamePattern::NamePattern(NamePattern&&) noexcept = default;

bool NamePattern::matches(const std::string& name) const {
  return RE2::PartialMatch(name, impl_->expression);
}

}  // namespace pqw
