// Which tensors to compress, and how.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace pqw {

// Option names and texts as in set_option (codecs/pq_encode.h), with two additions:
// `block_size=auto` chooses by the kernel (plan.h), `codec=plain` or `codec=pq` the codec.
using Settings = std::vector<std::pair<std::string, std::string>>;

// Patterns are regular expressions (RE2 syntax) that match anywhere in a tensor's name.
struct Rule {
  std::string pattern;
  Settings settings;
};

struct Recipe {
  Settings defaults = {};        // for every tensor; the settings of its rule come on top
  std::vector<Rule> rules = {};  // the first whose pattern matches counts
  std::vector<std::string> include =
      {};  // when not empty: tensors that match none of these stay plain
  std::vector<std::string> exclude = {};  // tensors that match one of these stay plain
};

// "key=value,key=value". Errors: kInvalidArgument.
Settings parse_settings(const std::string& text);

// "PATTERN:key=value,..."; the pattern ends at the last colon. Errors: kInvalidArgument.
Rule parse_rule(const std::string& text);

// A recipe file in YAML:
//
//   defaults: {block_size: auto, centroids: 256}
//   include: ['weight$']
//   exclude: ['embed']
//   tensors:
//     - {pattern: 'conv.*', block_size: 9}
//     - {pattern: 'head\.weight', codec: plain}
//
// Errors: kNotFound, kIo; kInvalidArgument for anything else than the above, naming the line.
Recipe read_recipe(const std::string& path);

}  // namespace pqw
