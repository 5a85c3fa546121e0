// The Python dict literal in the header of a .npy file.
#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <utility>

#include "formats/npy.h"

namespace pqw {
namespace {

class Parser {
 public:
  Parser(const Subject& subject, std::string_view text) : subject_(subject), text_(text) {}

  NpyLiteral parse() {
    NpyLiteral literal;
    bool has_descr = false, has_order = false, has_shape = false;
    expect('{');
    while (!accept('}')) {
      const std::string key = string();
      expect(':');
      if (key == "descr") {
        once(key, has_descr);
        literal.is_structured = peek() == '[' || peek() == '(';
        if (literal.is_structured) {
          pass_over();
        } else {
          literal.descr = string();
        }
      } else if (key == "fortran_order") {
        once(key, has_order);
        literal.fortran_order = boolean();
      } else if (key == "shape") {
        once(key, has_shape);
        literal.shape = tuple();
      } else {
        fail("unknown key '{}'", shown(key));
      }
      if (accept('}')) break;
      expect(',');
    }
    if (peek() != '\0' || at_ != text_.size()) expected("the end");
    if (!has_descr || !has_order || !has_shape) {
      fail("'{}' is missing", !has_descr ? "descr" : !has_order ? "fortran_order" : "shape");
    }
    return literal;
  }

 private:
  template <class... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> what, Args&&... args) const {
    throw subject_.in("the .npy header").error(what, std::forward<Args>(args)...);
  }

  [[noreturn]] void expected(std::string_view what) const {
    const std::string found =
        at_ == text_.size() ? "its end" : fmt::format("'{}'", shown(text_.substr(at_, 8)));
    fail("found {} at character {}, expected {}", found, at_, what);
  }

  // The next character that is not white space; NUL at the end.
  char peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool accept(char c) {
    if (peek() != c || at_ == text_.size()) return false;
    ++at_;
    return true;
  }

  void expect(char c) {
    if (!accept(c)) expected(fmt::format("'{}'", c));
  }

  bool accept_word(std::string_view word) {
    peek();
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  void once(const std::string& key, bool& seen) const {
    if (seen) fail("the key '{}' occurs twice", key);
    seen = true;
  }

  // Skips a list or tuple, up to its closing bracket.
  void pass_over() {
    std::size_t depth = 0;
    do {
      const char next = peek();
      if (next == '\'' || next == '"') {
        string();
        continue;
      }
      if (next == '\0') expected("the end of a type");
      if (next == '[' || next == '(') ++depth;
      if (next == ']' || next == ')') --depth;
      ++at_;
    } while (depth > 0);
  }

  // Without escapes and prefixes: numpy has no use for them here.
  std::string string() {
    const char quote = peek();
    if (quote != '\'' && quote != '"') expected("a string");
    const std::size_t end = text_.find(quote, at_ + 1);
    if (end == text_.npos) expected("a string that ends");
    const std::string value(text_.substr(at_ + 1, end - at_ - 1));
    if (value.find('\\') != value.npos) expected("a string without escapes");
    at_ = end + 1;
    return value;
  }

  bool boolean() {
    if (accept_word("True")) return true;
    if (accept_word("False")) return false;
    expected("True or False");
  }

  // "()", "(3,)", "(3, 4)", "(3, 4,)"; "(3)" is a number in Python.
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      shape.push_back(integer());
      if (shape.size() > 1 && accept(')')) break;
      expect(',');
    }
    return shape;
  }

  std::size_t integer() {
    peek();
    std::size_t value = 0;
    const char* const first = text_.data() + at_;
    const char* const last = text_.data() + text_.size();
    const auto [end, error] = std::from_chars(first, last, value);
    if (error == std::errc::invalid_argument) expected("a whole number");
    constexpr std::size_t kMax = std::numeric_limits<std::ptrdiff_t>::max();
    if (error != std::errc() || value > kMax) expected("a number of at most 63 bits");
    if (*first == '0' && end - first > 1) expected("a number without leading zeros");
    at_ += static_cast<std::size_t>(end - first);
    if (at_ < text_.size() && text_[at_] == 'L') ++at_;
    return value;
  }

  const Subject& subject_;
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

NpyLiteral parse_npy_literal(const Subject& subject, std::string_view text) {
  return Parser(subject, text).parse();
}

}  // namespace pqw
