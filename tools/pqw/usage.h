// Wrong command lines: one line that says what is wrong, and what was meant.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "pqw/core/error.h"
#include "pqw/core/nearest.h"
#include "pqw/core/text.h"
#include "pqw/pipeline/recipe.h"

namespace pqw::tool {

// What is wrong, in the words of this tool. `arguments` start with the name of the program.
std::string usage_message(const CLI::App& app, const std::vector<std::string>& arguments,
                          const CLI::ParseError& error);

// Runs `action`; an error of the library is one of that flag.
template <class Action>
auto blamed_on(const char* flag, const Action& action) try {
  return action();
} catch (const Error& error) {
  throw CLI::ValidationError(flag, printable(error.what()));
}

// The pattern that a flag was given. Throws CLI::ValidationError when it is none.
Pattern pattern_of(const char* flag, const std::string& text);

// Throws CLI::ValidationError unless `word` is one of those.
void require_word(const char* flag, const std::string& word, const Words& words);

// Adds --tensor, a pattern.
void add_tensor_option(CLI::App& verb, std::string& pattern);

}  // namespace pqw::tool
