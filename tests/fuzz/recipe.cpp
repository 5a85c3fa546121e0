// Fuzz target: recipes in YAML.
#include "pqw/compress/recipe.h"

#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static pqw::fuzz::MemoryFile file;
  file.set({data, size});
  pqw::fuzz::expect_result_or_error([] { (void)pqw::read_recipe(file.path()); });
  return 0;
}
