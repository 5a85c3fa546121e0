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

#include "pqw/codecs/settings.h"
#include "pqw/core/text.h"

namespace pqw {

// Throws Error(kInvalidArgument): "KEY=VALUE: expected ...".
[[noreturn]] void bad_value(std::string_view key, std::string_view value,
                            std::string_view expected);

// Throws Error(kInvalidArgument). `known` lists the options that the codec has, `others` the keys
// that callers take themselves.
[[noreturn]] void unknown_option(std::string_view codec, std::string_view key, Words known,
                                 const Words& others);

// The values that an option may have, and how they are written.
template <class T>
struct Values {
  std::string shown;     // for help: "N|auto"
  std::string expected;  // for messages: "a whole number from 1 to 6 or auto"
  Words words;           // suggested in place of mistyped ones
  std::function<std::optional<T>(std::string_view)> parse;  // empty for other texts
  std::function<std::string(const T&)> text;

  // A value beside these, and its word. A value without a word is the default of an option that
  // is not given: it has no text.
  Values or_word(std::string word, T special) const {
    Values more = *this;
    if (!word.empty()) {
      more.shown += (shown.empty() ? "" : "|") + word;
      more.expected += " or " + word;
      more.words.push_back(word);
      more.parse = [=, old = parse](std::string_view from) {
        return from == word ? std::optional(special) : old(from);
      };
    }
    more.text = [=, old = text](const T& value) { return value == special ? word : old(value); };
    return more;
  }
  Values or_none(T special) const { return or_word("", std::move(special)); }
};

// Whole numbers from `low` to `high`.
template <std::unsigned_integral T = std::size_t>
Values<T> count(std::type_identity_t<T> low = 0,
                std::type_identity_t<T> high = std::numeric_limits<T>::max());

Values<double> share();          // above 0, at most 1
Values<double> positive();       // above 0
Values<double> share_below_1();  // 0 or more, below 1

// One of some words.
template <class T>
Values<T> choice(const std::vector<std::pair<std::string, T>>& choices) {
  Values<T> values;
  values.parse = [](std::string_view) { return std::optional<T>(); };
  values.text = [](const T&) { return "?"; };
  for (const auto& [word, value] : choices) values = values.or_word(word, value);
  values.expected = listed(values.words);
  return values;
}

// Returns the first reason unless it is empty, else the second.
inline std::string either(std::string first, std::string second) {
  return first.empty() ? second : first;
}

// Further properties of an option.
template <class Options>
struct Conditions {
  // Why the option has no effect together with the others; empty if it has one.
  std::function<std::string(const Options&)> unused = nullptr;
  std::function<bool(const Options&)> written = nullptr;  // texts of options have it only then
  std::function<void(Options&)> then = nullptr;           // setting it changes others, too
  bool has_flag = true;
};

// A row: one option. Its text is empty if nothing is given.
template <class Options>
struct Field {
  std::string key;
  std::string values;
  std::string help;
  Conditions<Options> conditions;
  std::function<void(Options&, std::string_view)> parse;
  std::function<std::string(const Options&)> text;

  template <class T>
  Field(std::string name, T Options::*member, Values<T> range, std::string help_,
        Conditions<Options> conditions_ = {})
      : key(std::move(name)),
        values(range.shown),
        help(std::move(help_)),
        conditions(std::move(conditions_)) {
    parse = [name = key, member, range](Options& options, std::string_view value) {
      std::optional<T> parsed = range.parse(value);
      if (!parsed) bad_value(name, value, range.expected + did_you_mean(value, range.words));
      options.*member = std::move(*parsed);
    };
    text = [member, range](const Options& options) { return range.text(options.*member); };
  }
};

template <class Options>
class Fields {
 public:
  Fields(std::initializer_list<Field<Options>> rows) : rows_(rows) {}

  // nullptr if there is none.
  const Field<Options>* find(std::string_view key) const {
    for (const auto& row : rows_) {
      if (row.key == key) return &row;
    }
    return nullptr;
  }

  // Sets one option. Errors: kInvalidArgument, naming the known keys or values.
  void set(Options& options, std::string_view key, std::string_view value,
           const Words& others = {}) const {
    if (const auto* row = find(key)) {
      row->parse(options, value);
      if (row->conditions.then) row->conditions.then(options);
      return;
    }
    Words known;
    for (const auto& row : rows_) known.push_back(row.key);
    if constexpr (requires { options.factors; }) known.push_back("factors.KEY");
    unknown_option(Options::kCodec, key, known, others);
  }

  // "key=value,key=value"; options without a text are left out.
  std::string text(const Options& options) const {
    std::string all;
    for (const auto& row : rows_) {
      const auto& written = row.conditions.written;
      const std::string value = written && !written(options) ? "" : row.text(options);
      if (!value.empty()) all += (all.empty() ? "" : ",") + row.key + "=" + value;
    }
    return all;
  }

  // Throws Error(kInvalidArgument) if an option has a value that its text could not set.
  void check(Options options) const {
    for (const auto& row : rows_) {
      if (const std::string value = row.text(options); !value.empty()) row.parse(options, value);
    }
  }

  // Why an option has no effect together with the others; empty if it has one.
  std::string unused(const Options& options, std::string_view key) const {
    const auto* row = find(key);
    return row != nullptr && row->conditions.unused ? row->conditions.unused(options) : "";
  }

  void describe(std::vector<SettingHelp>& all) const {
    for (const auto& row : rows_) {
      all.push_back({Options::kCodec, row.key, row.values, row.text(Options()), row.help,
                     row.conditions.has_flag});
    }
  }

 private:
  std::vector<Field<Options>> rows_;
};

}  // namespace pqw
