// Interprets the settings of a tensor: its codec, its fallback and policies.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "compress/bias.h"
#include "compress/plain_dtype.h"
#include "compress/quality.h"
#include "pqw/codecs/encode.h"
#include "pqw/codecs/settings.h"
#include "pqw/core/layout.h"

namespace pqw {

// What the settings say of a tensor with some role.
struct RoleSettings {
  CodecOptions options;
  std::string note = {};    // why the codec is not the one that the settings name
  std::string preset = {};  // the settings of the preset; empty if it does not count
};

struct TensorSettings {
  CodecOptions options;                             // those that the settings name
  std::array<RoleSettings, kRoles.size()> by_role;  // with the presets of `quality`
  std::optional<CodecOptions> fallback = {};
  bool plain_if_not_finite = false;
  PlainDtype plain_dtype = PlainDtype::kSame;
  Kind kind = Kind::kUnknown;  // kUnknown: as the file says
  std::string layout = {};     // letters (core/layout.h); empty: as the file says
  bool is_free = true;         // no setting names the codec
  bool is_searched = true;     // a target may choose the codec and its options
  Use use = Use::kAny;
  double importance = 1;  // of errors, in the search for a target
  BiasCorrection correct_bias = BiasCorrection::kOff;
  std::string bias = {};  // the name of the bias; empty: bias_name
  std::string text = {};  // the settings as given

  const RoleSettings& of(Role role) const { return by_role[static_cast<std::size_t>(role)]; }
};

// `thin_differ`: thin tensors get another codec than large ones, unless the settings say more of
// them. Errors: kInvalidArgument, also for a setting without effect.
TensorSettings tensor_settings_from(const Settings& settings, bool thin_differ = true);

// "key=value,key=value", which parse_settings reads.
std::string to_string(const Settings& settings);

// Whether the settings say how large a tensor becomes, so that no preset does.
bool sets_size(const Settings& settings);

// Whether the key does not belong to the codec or its factors: `fallback.KEY` and the policies.
bool is_policy(const std::string& key);

// The settings that have no effect together with the others; empty if a setting is wrong.
std::vector<UnusedSetting> unused_settings(const Settings& settings);

// `settings` without the unused ones. An unused setting stays if `own` has its key.
Settings without(Settings settings, const std::vector<UnusedSetting>& unused, const Settings& own);
Settings used_settings(const Settings& settings, const Settings& own);

// `base` with `over` on top. If `over` names another codec, the options that `base` has for its own
// codec are dropped; policies stay.
Settings layered(Settings base, const Settings& over);

}  // namespace pqw
