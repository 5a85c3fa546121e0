// The options of a codec as a table. Parsing, checks, texts, flags and help follow from its rows.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "pqw/core/nearest.h"

namespace pqw {

// Throws Error(kInvalidArgument): "KEY=VALUE: expected ...".
[[noreturn]] void bad_value(std::string_view key, std::string_view value,
                            std::string_view expected);

// bad_value for an option whose values are words.
[[noreturn]] void bad_word(std::string_view key, std::string_view value, const Words& words);

// Throws Error(kInvalidArgument). `known` lists the options that the codec has.
[[noreturn]] void unknown_option(std::string_view codec, std::string_view key, Words known);

// The values that an option may have, and how they are written.
template <class T>
struct Values {
  std::string shown;     // for help: "N|auto"
  std::string expected;  // for messages: "a whole number from 1 to 6 or auto"
  Words words;           // to suggest one to who mistypes it
  std::function<std::optional<T>(std::string_view)> parse;  // empty for other texts
  std::function<std::string(const T&)> text;
  std::function<bool(const T&)> contains = [](const T&) { return true; };

  // A value beside these, and its word. A value without a word is the default of an option that
  // is not given: it has no text.
  Values or_word(std::string word, T special) const {
    Values more = *this;
    if (!word.empty()) {
      more.shown += "|" + word;
      more.expected += " or " + word;
      more.words.push_back(word);
      more.parse = [=, old = parse](std::string_view from) {
        return from == word ? std::optional(special) : old(from);
      };
    }
    more.text = [=, old = text](const T& value) { return value == special ? word : old(value); };
    more.contains = [=, old = contains](const T& value) { return value == special || old(value); };
    return more;
  }
  Values or_none(T special) const { return or_word("", std::move(special)); }
};

// Whole numbers from `low` to `high`.
template <std::unsigned_integral T = std::size_t>
Values<T> count(std::type_identity_t<T> low = 0,
                std::type_identity_t<T> high = std::numeric_limits<T>::max());

// Numbers from `low` to `high`; `low_open` and `high_open` leave out the bound itself.
struct Interval {
  double low = 0;
  double high = 1;
  bool low_open = false;
  bool high_open = false;
};
Values<double> number(Interval interval);

// One of some words.
template <class T>
Values<T> choice(std::vector<std::pair<std::string, T>> choices) {
  Values<T> values;
  for (const auto& [word, value] : choices) values.words.push_back(word);
  values.expected = listed(values.words);
  for (const std::string& word : values.words)
    values.shown += (values.shown.empty() ? "" : "|") + word;
  values.parse = [choices](std::string_view text) {
    for (const auto& [word, value] : choices) {
      if (text == word) return std::optional(value);
    }
    return std::optional<T>();
  };
  values.text = [choices](const T& value) {
    for (const auto& [word, choice] : choices) {
      if (value == choice) return word;
    }
    return std::string("?");
  };
  values.contains = [text = values.text](const T& value) { return text(value) != "?"; };
  return values;
}

// A row: one option. Its text and its default are empty if nothing is given.
template <class Options>
struct Field {
  std::string key;
  std::string values;
  std::string help;
  std::function<void(Options&, std::string_view)> parse;
  std::function<std::string(const Options&)> text;
  std::function<void(const Options&)> check;
  std::function<std::string(const Options&)> unused = [](const Options&) { return ""; };
  bool has_flag = true;

  template <class T>
  Field(std::string key_, T Options::*member, Values<T> range, std::string help_)
      : key(std::move(key_)), values(range.shown), help(std::move(help_)) {
    parse = [name = key, member, range](Options& options, std::string_view value) {
      std::optional<T> parsed = range.parse(value);
      if (!parsed) bad_value(name, value, range.expected + did_you_mean(value, range.words));
      options.*member = std::move(*parsed);
    };
    text = [member, range](const Options& options) { return range.text(options.*member); };
    check = [name = key, member, range](const Options& options) {
      const T& value = options.*member;
      if (!range.contains(value)) bad_value(name, range.text(value), range.expected);
    };
  }

  // `why` tells why the option has no effect together with the others; empty if it has one.
  Field unless(std::function<std::string(const Options&)> why) const {
    Field field = *this;
    field.unused = std::move(why);
    return field;
  }
  // The texts of options have it only then.
  Field written_if(std::function<bool(const Options&)> condition) const {
    Field field = *this;
    field.text = [old = text, condition = std::move(condition)](const Options& options) {
      return condition(options) ? old(options) : std::string();
    };
    return field;
  }
  // Setting it changes other options, too.
  Field then(std::function<void(Options&)> change) const {
    Field field = *this;
    field.parse = [old = parse, change = std::move(change)](Options& options,
                                                            std::string_view value) {
      old(options, value);
      change(options);
    };
    return field;
  }
  Field without_flag() const {
    Field field = *this;
    field.has_flag = false;
    return field;
  }
};

template <class Options>
class Fields {
 public:
  Fields(std::initializer_list<Field<Options>> rows) : rows_(rows) {}

  auto begin() const { return rows_.begin(); }
  auto end() const { return rows_.end(); }

  // nullptr if there is none.
  const Field<Options>* find(std::string_view key) const {
    for (const auto& row : rows_) {
      if (row.key == key) return &row;
    }
    return nullptr;
  }

  // Sets one option. Errors: kInvalidArgument, naming the known keys or values.
  void set(Options& options, std::string_view key, std::string_view value) const {
    if (const auto* row = find(key)) return row->parse(options, value);
    Words known;
    for (const auto& row : rows_) known.push_back(row.key);
    if constexpr (requires { options.factors; }) known.push_back("factors.KEY");
    unknown_option(Options::kCodec, key, known);
  }

  // "key=value,key=value"; options without a text are left out.
  std::string text(const Options& options) const {
    std::string all;
    for (const auto& row : rows_) {
      const std::string value = row.text(options);
      if (!value.empty()) all += (all.empty() ? "" : ",") + row.key + "=" + value;
    }
    return all;
  }

  // Throws Error(kInvalidArgument) unless every option has a value of its range.
  void check(const Options& options) const {
    for (const auto& row : rows_) row.check(options);
  }

  std::string unused(const Options& options, std::string_view key) const {
    const auto* row = find(key);
    return row == nullptr ? "" : row->unused(options);
  }

 private:
  std::vector<Field<Options>> rows_;
};

}  // namespace pqw
