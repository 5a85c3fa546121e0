// Wrong command lines: one line that names the mistake and the likely meaning.
#include "cli/usage.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

namespace pqw::tool {
namespace {

// The verb of exactly that name; nullptr when there is none.
const CLI::App* find_verb(const CLI::App& app, const std::string& name) {
  for (const CLI::App* verb : app.get_subcommands({})) {
    if (verb->get_name() == name) return verb;
  }
  return nullptr;
}

Words verbs_of(const CLI::App& app) {
  Words names;
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

// "--force", "-o", ...
Words flags_of(const CLI::App& app) {
  Words flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

// Word processors turn hyphens into these dashes.
bool starts_with_dash(std::string_view text) {
  return text.starts_with("\u2013") || text.starts_with("\u2014");
}

// The first argument that looks like a flag and is not in `flags`. Negative numbers and arguments
// after "--" are not flags.
std::optional<std::string> unknown_flag(const std::vector<std::string>& arguments,
                                        const Words& flags) {
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    if (starts_with_dash(argument)) return argument;
    if (argument.size() < 2 || argument[0] != '-') continue;
    if (argument.find_first_of(".0123456789") == 1) continue;
    const std::string flag = argument.substr(0, argument.find('='));
    const bool is_long = flag.starts_with("--");
    const bool known = std::ranges::any_of(flags, [&](const std::string& name) {
      return is_long || name.starts_with("--") ? flag == name : flag.starts_with(name);
    });
    if (!known) return flag;
  }
  return std::nullopt;
}

std::string without_hyphens(const std::string& flag) {
  const std::size_t begin = starts_with_dash(flag) ? std::string_view("\u2013").size() : 0;
  return flag.substr(std::min(flag.find_first_not_of('-', begin), flag.size()));
}

// "; did you mean '--block-size'?", or nothing. Leading hyphens do not count in the comparison.
std::string nearest_flag(const std::string& flag, const Words& flags) {
  Words names;
  for (const std::string& known : flags) names.push_back(without_hyphens(known));
  const std::string name = nearest(without_hyphens(flag), names);
  const auto found = std::ranges::find(names, name);
  if (name.empty() || found == names.end()) return "";
  return fmt::format("; did you mean '{}'?",
                     flags[static_cast<std::size_t>(found - names.begin())]);
}

// Whether an unknown word may have caused the error of the parser.
bool may_be_unknown(const CLI::ParseError& error) {
  return dynamic_cast<const CLI::RequiredError*>(&error) != nullptr ||
         dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr ||
         dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr;
}

// The error of the parser, reworded where its own text is hard to understand.
std::string reworded(const CLI::App& verb, const CLI::ParseError& error) {
  const std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    std::vector<std::string> extras = verb.remaining();
    std::erase(extras, "--");
    if (!extras.empty() && extras.front().starts_with('-')) {
      return fmt::format("unexpected argument '{}': arguments after '--' are not flags",
                         extras.front());
    }
    const CLI::Option* output = verb.get_option_no_throw("--output");
    const bool misses_output = output != nullptr && output->count() == 0;
    return fmt::format("unexpected argument '{}'{}", extras.empty() ? "" : extras.front(),
                       misses_output ? ": name the output with -o" : "");
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) == nullptr) return text;
  const std::string flag = text.substr(0, text.find(':'));
  return flag + (text.ends_with("missing") ? ": a value is missing" : " is given more than once");
}

// The mistake in the arguments after the verb, or before it when `verb` is null.
std::string mistake(const CLI::App& app, const CLI::App* verb,
                    const std::vector<std::string>& arguments, const CLI::ParseError& error) {
  if (may_be_unknown(error)) {
    const Words flags = flags_of(verb == nullptr ? app : *verb);
    const auto first = arguments.begin() + (verb == nullptr ? 1 : 2);
    if (const auto flag = unknown_flag({first, arguments.end()}, flags)) {
      const std::string meant = nearest_flag(*flag, flags);
      const bool too_early = verb == nullptr && meant.empty();
      return fmt::format("unknown flag '{}'{}{}", *flag, too_early ? ": flags follow the verb" : "",
                         meant);
    }
  }
  return reworded(verb == nullptr ? app : *verb, error);
}

}  // namespace

std::string usage_message(const CLI::App& app, const std::vector<std::string>& arguments,
                          const CLI::ParseError& error) {
  const Words verbs = verbs_of(app);
  std::string message, help = "pqw --help";
  if (arguments.size() < 2) {
    message = fmt::format("a verb is required: {}", listed(verbs));
  } else {
    const std::string& first = arguments[1];
    const CLI::App* verb = find_verb(app, first);
    if (verb == nullptr && !first.starts_with('-')) {
      message = fmt::format("unknown verb '{}': expected {}{}", first, listed(verbs),
                            did_you_mean(first, verbs));
    } else {
      if (verb != nullptr) help = fmt::format("pqw {} --help", first);
      message = mistake(app, verb, arguments, error);
    }
  }
  return message.ends_with('?') ? message : fmt::format("{}; see '{}'", message, help);
}

Pattern pattern_of(const char* flag, const std::string& text) {
  Pattern pattern(text);
  blamed_on(flag, [&] { check_pattern(pattern); });
  pattern.where = flag;
  return pattern;
}

void require_word(const char* flag, const std::string& word, const Words& words) {
  if (std::ranges::find(words, word) != words.end()) return;
  throw CLI::ValidationError(
      flag, fmt::format("'{}': expected {}{}", word, listed(words), did_you_mean(word, words)));
}

CLI::Validator finite_number() {
  return CLI::Validator(
      [](std::string& text) {
        double value = 0;
        const bool is_number = CLI::detail::lexical_cast(text, value) && std::isfinite(value);
        return is_number ? std::string() : fmt::format("'{}': expected a number", text);
      },
      "");
}

void add_repeatable(CLI::App& verb, const char* flag, const char* type, const char* help,
                    std::function<void(const std::string&)> take) {
  using Texts = std::vector<std::string>;
  verb.add_option_function<Texts>(
          flag, [take](const Texts& texts) { std::ranges::for_each(texts, take); }, help)
      ->type_name(type)
      ->expected(1)
      ->take_all();
}

void add_tensor_option(CLI::App& verb, std::string& pattern) {
  verb.add_option_function<std::string>(
          "--tensor",
          [&pattern](const std::string& text) { pattern = pattern_of("--tensor", text).text; },
          "only tensors whose name matches")
      ->type_name("RE");
}

}  // namespace pqw::tool
