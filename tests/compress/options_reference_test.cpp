// docs/options.md is what the tables of options say.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "pqw/compress/recipe.h"
#include "tests/support/file_content.h"

namespace pqw {
namespace {

constexpr const char* kHead = R"(# Options

These are all settings of `pqw quantize`, `--set` and recipes. The page is made from the tables in the code. After a
change there, `PQW_WRITE_OPTIONS=1 ctest --preset release -R OptionsReference` writes it again.
[codecs.md](codecs.md) says which codec and which options suit what.

The flag of `block_size` is `--block-size`; options marked with * have no flag. A flag is for every codec that has the
option. N is a whole number, X a number, NxN... a list of sizes such as 8x8x12. `factors.KEY` and `fallback.KEY` stand
for `codec` and the options of that codec: `--factors codec=pq,block_size=4`, `--set 'fc:factors.codec=pq'`, in YAML
`factors: {codec: pq}`.
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string reference() {
  std::string text = kHead;
  std::string codec = "none yet";
  for (const SettingHelp& setting : recipe_help()) {
    if (setting.codec != codec) {
      codec = setting.codec;
      text += fmt::format("\n## {}\n\n| key | values | default | meaning |\n|---|---|---|---|\n",
                          codec.empty() ? "Every tensor" : codec);
    }
    text += fmt::format("| `{}`{} | {} | {} | {} |\n", setting.key, setting.has_flag ? "" : " *",
                        replaced(setting.values, "|", ", "), setting.standard, setting.help);
  }
  return text;
}

TEST(OptionsReference, IsWhatTheTablesSay) {
  if (std::getenv("PQW_WRITE_OPTIONS") != nullptr) std::ofstream(PQW_OPTIONS) << reference();
  EXPECT_EQ(test::content(PQW_OPTIONS), reference());
}

TEST(OptionsReference, HasEveryKeyWithItsValuesDefaultAndMeaning) {
  const std::string text = reference();
  EXPECT_THAT(text,
              testing::HasSubstr("| `centroids` | 2..65536 | 256 | centroids per codebook |\n"));
  EXPECT_THAT(text, testing::HasSubstr("| `scheme` | symmetric, affine | symmetric | zero point"));
  EXPECT_THAT(text, testing::HasSubstr("| `non_finite` | error, plain | error | "));
  EXPECT_THAT(text, testing::HasSubstr("| `out` * | NxN..., auto | auto | modes of the rows |"));
  for (const SettingHelp& setting : recipe_help()) EXPECT_NE(setting.help, "") << setting.key;
}

}  // namespace
}  // namespace pqw
