// Recipes: which tensors to compress, and how.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pqw/codecs/settings.h"
#include "pqw/compress/target.h"
#include "pqw/pipeline/report.h"

namespace pqw {

// The settings of a recipe are those of options_from (codecs/encode.h), `fallback.KEY`,
// `non_finite`, `plain_dtype`, `thin`, `quality`, `for`, `importance`, `correct_bias`, `bias`,
// `kind` and `layout`. `kind` and `layout` replace what was inferred (core/layout.h): layout=hwio. `quality` is a preset, which
// chooses for tensors whose settings do not say how large they become (docs/recipes.md). `for` says
// which codecs presets and targets may choose. Thin tensors are the weights of depthwise
// convolutions (kind depthwise; of unknown kind: rank 3 or more with one input) and tensors of
// fewer than 8192 weights. They stay plain if they would not become smaller. `thin` is `same` by
// default if the settings of a tensor name a codec, or if its rule sets an option of a codec.

// All keys, for help and documentation (docs/options.md).
std::vector<SettingHelp> recipe_help();

// A regular expression (RE2 syntax) that matches anywhere in a tensor's name; or conditions joined
// by '&': `kind=depthwise`, `rank>=2`, `size<4096` (elements), and as the last one `name=REGEX`.
// Operators are = != < <= > >=. Kinds are those that the file tells, not those of settings.
struct Pattern {
  Pattern(std::string text_ = "") : text(std::move(text_)) {}  // NOLINT: patterns are texts
  Pattern(const char* text_) : text(text_) {}                  // NOLINT

  std::string text;
  std::string where = {};  // for messages: "FILE: line N", "--include"; may be empty
  bool optional = false;   // if false, matching no tensor is an error
};

struct Rule {
  Pattern pattern;
  Settings settings;
};

struct Recipe {
  Settings defaults = {};             // for every tensor; the settings of its rule come on top
  std::vector<Rule> rules = {};       // the first whose pattern matches counts
  std::vector<Pattern> include = {};  // when not empty: tensors that match none of these stay plain
  std::vector<Pattern> exclude = {};  // tensors that match one of these stay plain
  std::string file = {};              // the file that it was read from
  // True: leave out numbers that cannot become a tensor. False: they are an error.
  bool skip_unsupported = false;
  // When the work is done, this file gets the recipe that makes the same archive again
  // (recipe_text); empty: none. It never replaces a file of the input, the recipe or the archive.
  std::string output = {};
  bool overwrite_output = false;  // whether `output` replaces another existing file
  // Chooses the codec and its options for all tensors for which no rule sets what a target chooses
  // (target_chooses).
  std::optional<Target> target = {};
  // A file of statistics of the inputs of layers (pqw calibrate): codecs that can keep the outputs of
  // these layers. The error of their weights rises. Empty: none.
  std::string calibration = {};
};

// "PATTERN:key=value,..."; the pattern ends at the last colon. Errors: kInvalidArgument.
Rule parse_rule(const std::string& text);

// A recipe file in YAML:
//
//   defaults: {block_size: 4, centroids: 256}
//   include: ['weight$']
//   exclude: ['embed']
//   tensors:
//     - {pattern: 'conv.*', block_size: 9}
//     - {pattern: 'head\.weight', codec: plain}
//     - {pattern: 'fc', codec: low_rank, rank: 64, factors: {codec: pq, block_size: 4}}
//     - {pattern: 'embed', optional: true, codec: int8}
//
// A pattern must match some tensor unless it is optional. In the lists of patterns, write
// {pattern: 'embed', optional: true}.
// A map under a key means settings "key.KEY". A list of values means one value joined by 'x': [2,
// 3] is "2x3". A key may not appear twice in a map. A file has at most 1 MiB and stands for at most
// 4 MiB of values, YAML aliases counted each time; each map stands for at most 1000 settings.
// Errors: kNotFound, kIo; kInvalidArgument for anything else, naming the line.
Recipe read_recipe(const std::string& path);

// The recipe of a text in YAML or JSON; messages call it `name`. Errors: as above.
Recipe parse_recipe(const std::string& text, const std::string& name);

// The recipe file that makes the archive of a compression again, without its target: a rule for
// each tensor that rules decide on, its name as the pattern.
std::string recipe_text(const Report& report);

// Checks all that can be checked without tensors. Errors: kInvalidArgument for a malformed pattern
// or setting, for a setting of a rule that has no effect (codecs/settings.h), for a default that
// has no effect with any rule, for a default that a target chooses, for an importance without a
// target, and for correct_bias without calibration.
void check_recipe(const Recipe& recipe);
void check_settings(const Settings& settings);
void check_pattern(const Pattern& pattern);

// The defaults that have no effect, neither alone nor with any rule.
std::vector<UnusedSetting> unused_defaults(const Recipe& recipe);

// The preset that chooses for tensors without a rule.
struct Preset {
  std::string name;   // "balanced"
  std::string codec;  // of large tensors: "tcq"
};

// Empty if the defaults say how large a tensor becomes, or a target does.
std::optional<Preset> preset_of(const Recipe& recipe);

// Adds `settings` to the defaults of `recipe`. Removes defaults that have no effect then: the seed
// of form cp if the settings say form tt.
Recipe with_settings(Recipe recipe, const Settings& settings);

}  // namespace pqw
