// Which tensors to compress, and how.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "pqw/codecs/settings.h"

namespace pqw {

// Settings are those of options_from (codecs/encode.h), and
// - `fallback.KEY`: those of the codec that takes a tensor which the chosen one would not make
//   smaller, or would lose (compress.h);
// - `non_finite`: what to do with a tensor that holds NaN or infinity: `error` (the default), or
//   `plain`: keep it as it is;
// - `thin`: what to do with thin tensors, which are the weights of depthwise convolutions (rank 3
//   or more, shape[1] == 1) and tensors of fewer than 8192 weights. `int8`: they get codec int8, or
//   stay plain where it would not make them smaller. `same`: they get the codec of the others.
//   Without this setting they get int8, unless a codec is named, or the rule that matches sets an
//   option of one: then they get that codec.

// A regular expression (RE2 syntax) that matches anywhere in a tensor's name.
struct Pattern {
  Pattern(std::string text_ = "") : text(std::move(text_)) {}  // NOLINT: patterns are texts
  Pattern(const char* text_) : text(text_) {}                  // NOLINT

  std::string text;
  std::string where = {};  // for messages: "FILE: line N", "--include"; empty: it stands nowhere
  bool optional = false;   // it may match no tensor; else that is an error
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
  std::string file = {};              // which it was read from
  // Whether numbers that no tensor can be made of are left out; else they are an error.
  bool skip_unsupported = false;
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
// A pattern has to match some tensor unless it is optional; in lists that is written
// {pattern: 'embed', optional: true}.
// A map under a key means settings "key.KEY", a list of values one value joined by 'x': [2, 3] is
// "2x3". A key is there once. A file has 1 MiB at most and stands for 4 MiB of values at most,
// aliases counted each time, and each map for 1000 settings. Errors: kNotFound, kIo;
// kInvalidArgument for anything else than the above, naming the line.
Recipe read_recipe(const std::string& path);

}  // namespace pqw
