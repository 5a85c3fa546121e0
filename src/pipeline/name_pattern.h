// Regular expressions over tensor names.
#pragma once

#include <memory>
#include <string>

namespace pqw {

// RE2 syntax, matched anywhere in the name, in time linear in its length.
class NamePattern {
 public:
  // Errors: kInvalidArgument, quoting the pattern.
  explicit NamePattern(const std::string& pattern);
  ~NamePattern();
  NamePattern(NamePattern&&) noexcept;

  const std::string& text() const { return text_; }
  bool matches(const std::string& name) const;

 private:
  struct Impl;
  std::string text_;
  std::unique_ptr<Impl> impl_;
};

// A pattern that matches the text itself, anywhere.
std::string escaped_pattern(const std::string& text);

}  // namespace pqw
