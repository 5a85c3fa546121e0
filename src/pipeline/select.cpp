// Choosing tensors by name.
#include "pqw/pipeline/select.h"

#include <re2/re2.h>

#include "core/subject.h"
#include "pipeline/name_pattern.h"

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

std::string escaped_pattern(const std::string& text) { return RE2::QuoteMeta(text); }

std::vector<std::size_t> select_tensors(const std::string& path,
                                        std::span<const TensorInfo> tensors,
                                        const std::string& pattern) {
  const NamePattern filter(pattern);
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (filter.matches(tensors[i].name)) indices.push_back(i);
  }
  if (indices.empty()) {
    const Subject file{path, ErrorCode::kNotFound};
    if (tensors.empty()) throw file.error("holds no tensor");
    throw file.error("pattern '{}' matches no tensor", shown(pattern));
  }
  return indices;
}

}  // namespace pqw
