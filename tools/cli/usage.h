// Flags, and wrong command lines: one line that names the mistake and the likely meaning.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "pqw/compress/recipe.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw::tool {

// Describes the mistake in one line. `arguments` start with the name of the program.
std::string usage_message(const CLI::App& app, const std::vector<std::string>& arguments,
                          const CLI::ParseError& error);

// Runs `action` and turns an error of the library into a CLI::ValidationError of that flag.
template <class Action>
auto blamed_on(const char* flag, const Action& action) try {
  return action();
} catch (const Error& error) {
  throw CLI::ValidationError(flag, printable(error.what()));
}

// The text of a flag as a pattern. Throws CLI::ValidationError when it is not a valid pattern.
Pattern pattern_of(const char* flag, const std::string& text);

// Throws CLI::ValidationError unless `word` is in `words`.
void require_word(const char* flag, const std::string& word, const Words& words);

// Accepts finite numbers.
CLI::Validator finite_number();

// Adds --tensor, a pattern.
void add_tensor_option(CLI::App& verb, std::string& pattern);

// Adds a flag that may be given several times, each time with one text.
void add_repeatable(CLI::App& verb, const char* flag, const char* type, const char* help,
                    std::function<void(const std::string&)> take);

// Adds a flag for each key (--block-size for block_size); what the flags say is appended to
// `settings` in the order of the command line. If several codecs have the key, the help tells what
// it means for each.
void add_setting_flags(CLI::App& verb, Settings& settings);

}  // namespace pqw::tool
