// Patterns that select tensors by name, kind, rank and size.
#include "compress/tensor_pattern.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>

#include "core/subject.h"

namespace pqw {
namespace {

// Longer operators first: "<=" starts with "<".
constexpr std::array<std::string_view, 6> kOperators = {"!=", "<=", ">=", "=", "<", ">"};
constexpr std::array<std::string_view, 4> kKeys = {"kind", "rank", "size", "name"};

struct Term {
  std::string_view key, op, value;
};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

// "size < 4096" as its parts; empty if the text does not start with a key and an operator.
std::optional<Term> term_of(std::string_view text) {
  text = trimmed(text);
  for (const std::string_view key : kKeys) {
    if (!text.starts_with(key)) continue;
    const std::string_view rest = trimmed(text.substr(key.size()));
    for (const std::string_view op : kOperators) {
      if (rest.starts_with(op)) return Term{key, op, trimmed(rest.substr(op.size()))};
    }
  }
  return std::nullopt;
}

bool holds(std::size_t a, std::string_view op, std::size_t b) {
  if (op == "=") return a == b;
  if (op == "!=") return a != b;
  if (op == "<") return a < b;
  if (op == "<=") return a <= b;
  return op == ">" ? a > b : a >= b;
}

[[noreturn]] void bad(const std::string& pattern, const std::string& what) {
  throw Subject{}.in("pattern", pattern).error(ErrorCode::kInvalidArgument, "{}", what);
}

std::size_t number_of(const Term& term, const std::string& pattern) {
  std::size_t value = 0;
  const char* const end = term.value.data() + term.value.size();
  const auto [stop, status] = std::from_chars(term.value.data(), end, value);
  if (status == std::errc() && stop == end) return value;
  bad(pattern,
      fmt::format("{}{}{}: expected a whole number", term.key, term.op, shown(term.value)));
}

std::function<bool(const TensorInfo&)> condition_of(const Term& term, const std::string& pattern) {
  const std::string op(term.op);
  if (term.key == "kind") {
    const auto kind = kind_from_string(term.value);
    if (!kind || (op != "=" && op != "!=")) {
      Words names;
      for (int i = 0; i <= static_cast<int>(Kind::kOther); ++i) {
        names.emplace_back(to_string(static_cast<Kind>(i)));
      }
      bad(pattern, fmt::format("kind{}{}: expected kind= or kind!= and {}{}", op, shown(term.value),
                               listed(names), did_you_mean(std::string(term.value), names)));
    }
    return [=](const TensorInfo& info) { return (info.layout.kind == *kind) == (op == "="); };
  }
  const std::size_t number = number_of(term, pattern);
  if (term.key == "rank") {
    return [=](const TensorInfo& info) { return holds(info.shape.size(), op, number); };
  }
  return [=](const TensorInfo& info) { return holds(element_count(info.shape), op, number); };
}

}  // namespace

TensorPattern::TensorPattern(const std::string& text) {
  if (!term_of(text)) {
    name_.emplace(text);
    return;
  }
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    std::optional<Term> term = term_of(rest.substr(0, end));
    if (!term) {
      bad(text, fmt::format("'{}': expected kind, rank, size or name, an operator and a value",
                            shown(trimmed(rest.substr(0, end)))));
    }
    if (term->key == "name") {
      if (term->op != "=") bad(text, "name is followed by = and a regular expression");
      name_.emplace(std::string(term_of(rest)->value));
      return;
    }
    conditions_.push_back(condition_of(*term, text));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (rest.empty() && end < text.size() && text.back() == '&') bad(text, "ends with '&'");
  }
}

bool TensorPattern::matches(const TensorInfo& info) const {
  return std::ranges::all_of(conditions_, [&](const Condition& holds) { return holds(info); }) &&
         (!name_ || name_->matches(info.name));
}

}  // namespace pqw
