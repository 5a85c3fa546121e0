// The file that gets the recipe of a compression when it is done (--output-recipe).
#pragma once

#include <span>
#include <string>

#include "pqw/compress/recipe.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

// The recipe file with the patterns and rules of a recipe, without its defaults and target.
std::string recipe_text(const Recipe& recipe);

class RecipeOutput {
 public:
  // `archive` is the other output of the run; empty if there is none. Errors: those of AtomicFile;
  // kInvalidArgument if the recipe would replace an input or the archive.
  RecipeOutput(const Recipe& recipe, std::span<const std::string> inputs,
               const std::string& archive);
  // Errors: kIo.
  void commit(const std::string& text);

 private:
  AtomicFile file_;
};

}  // namespace pqw
