// Plans a run: decides once what happens to each tensor of a file, as far as names, types and
// shapes tell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "compress/bias.h"
#include "compress/plain_dtype.h"
#include "compress/quality.h"
#include "pqw/codecs/encode.h"
#include "pqw/compress/recipe.h"
#include "pqw/core/tensor.h"
#include "pqw/formats/weight_file.h"

namespace pqw {

// The tensor is stored as it is.
struct Keep {
  std::string reason;
};

// The tensor equals another one, whose name is stored. make_plan sees no bytes and makes none.
struct Alias {
  std::size_t target;
};

// The tensors are int8 values, their scale and, if there is a third one, their zero point
// (pipeline/int8_reference.h). One int8 weight is stored.
struct AdoptInt8 {
  Int8Options options;
};

// The tensor is encoded by the first candidate that makes it smaller without losing it (worth.h);
// if there is none, it is stored as it is. Several tensors are the layers of one joint tensor by
// the first candidate; the other candidates are for each layer on its own.
struct Encode {
  std::vector<CodecOptions> candidates;  // resolved; in the order of preference
  std::string note = {};                 // why the first one differs from the settings
  bool keep_if_not_finite = false;       // else NaN or infinity is an error
  // A search for the target may replace the one candidate, options of pq, or has done so (search.h).
  bool is_free = false;
  std::uint64_t first_below = ~std::uint64_t{0};  // bytes that the first one must stay below
};

using Action = std::variant<Keep, Alias, AdoptInt8, Encode>;

// The tensors with one action. Each tensor of the file is in exactly one item.
struct WorkItem {
  std::vector<std::size_t> tensors;  // indices; those of joint layers rise
  Action action;
  std::string
      settings;  // that the action follows from, as given; equal for equal actions of a role
  double importance = 1;                       // of errors, in the search for a target
  PlainDtype plain_dtype = PlainDtype::kSame;  // of its tensors that are stored plain
  Use use = Use::kAny;                         // in the search for a target
  Settings layout = {};     // the settings `kind` and `layout` of its tensors, as given
  std::string preset = {};  // the settings that its role adds; equal tensors may have other roles
  BiasCorrection correct_bias = BiasCorrection::kOff;
  std::string bias = {};  // the name of the bias as given; empty: bias_name
  bool has_bias = false;  // tensors[1] is the bias of tensors[0], to be corrected (with_biases)
};

// The work in the order of the first tensors of the items.
// - A tensor with codec int8 that find_int8_references knows is adopted, whatever the settings of
//   its scale and zero point say.
// - Encoded tensors with the same label (TensorizedOptions::joint) and equal shape, type, options,
//   fallback and policy are layers of one joint tensor.
// - If the recipe names no codec for a tensor, and pq would not be smaller than int8, it gets int8.
// - Thin tensors have presets of their own if the recipe names no codec for them (recipe.h).
// - If the recipe has a target, encoded tensors for which it names no codec are free.
// Errors: kInvalidArgument for a malformed pattern or setting, for a pattern that matches no tensor
// and is not optional (the message says where it stands), and for ranks that do not fit the number
// of layers.
std::vector<WorkItem> make_plan(std::span<const TensorInfo> tensors, const Recipe& recipe);

// The layouts of the tensors, with the settings `kind` and `layout` of the recipe in place of what
// the file says. Patterns see what the file says. Errors: kInvalidArgument for a layout of another
// rank; those of make_plan.
std::vector<Layout> layouts_of(std::span<const TensorInfo> tensors, const Recipe& recipe);

// Gives each encoded tensor whose bias is to be corrected that bias, which is no item of its own
// then. The items come in the order of their first tensors. Errors: kInvalidArgument if the setting
// `bias` names no plain tensor of float values, one for each output, or one of another weight.
std::vector<WorkItem> with_biases(const WeightReader& reader, std::vector<WorkItem> plan);

// Settings of a rule with the same action, for a tensor that rules decide on.
Settings rule_of(const WorkItem& item);

// Whether what happens to a tensor depends on the recipe.
bool is_decided_by_rules(const TensorInfo& info);

// TensorizedOptions::joint; empty for other codecs. Points into the options.
std::string_view joint_label(const CodecOptions& options);

// Makes one item of each group of joint layers, in the place of the first one. REQUIRES: canonical
// tensors. Errors: see make_plan.
std::vector<WorkItem> join_layers(std::span<const TensorInfo> tensors, std::vector<WorkItem> plan);

}  // namespace pqw
