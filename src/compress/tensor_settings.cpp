// Interprets the settings of a tensor: its codec, its fallback and policies.
#include "compress/tensor_settings.h"

#include <fmt/format.h>

#include <algorithm>

#include "codecs/train/fields.h"
#include "compress/plan.h"
#include "core/subject.h"
#include "pqw/compress/recipe.h"

namespace pqw {
namespace {

enum class Thin { kUnlessNamed, kInt8, kSame };

// The settings that do not belong to a codec.
struct Policies {
  static constexpr const char* kCodec = "";
  static const Fields<Policies>& fields();

  bool plain_if_not_finite = false;
  PlainDtype plain_dtype = PlainDtype::kSame;
  Thin thin = Thin::kUnlessNamed;
  Quality quality = Quality::kBalanced;
  Use use = Use::kAny;
  double importance = 1;
  Kind kind = Kind::kUnknown;
  std::string layout = {};
  BiasCorrection correct_bias = BiasCorrection::kOff;
  std::string bias = {};
};

Values<Kind> kinds() {
  std::vector<std::pair<std::string, Kind>> all;
  for (int i = static_cast<int>(Kind::kLinear); i <= static_cast<int>(Kind::kOther); ++i) {
    all.emplace_back(to_string(static_cast<Kind>(i)), static_cast<Kind>(i));
  }
  return choice<Kind>(all).or_none(Kind::kUnknown);
}

Values<std::string> letters() {
  const auto parse = [](std::string_view text) {
    return axes_from_letters(text) ? std::optional(std::string(text)) : std::nullopt;
  };
  return {"oi|io|oihw|hwio|...",
          "a letter for each dimension: o (outputs), i (inputs), d, h, w (kernel), each once, such "
          "as io or hwio",
          {},
          parse,
          [](const std::string& text) { return text; }};
}

Values<std::string> names() {
  return {"NAME",
          "the name of a tensor",
          {},
          [](std::string_view text) {
            return text.empty() ? std::nullopt : std::optional(std::string(text));
          },
          [](const std::string& text) { return text; }};
}

const Fields<Policies>& Policies::fields() {
  using O = Policies;
  static const Fields<O> kFields = {
      Field("non_finite", &O::plain_if_not_finite,
            choice<bool>({{"error", false}, {"plain", true}}),
            "what to do with a tensor that holds NaN or infinity: stop, or keep it as it is"),
      Field("plain_dtype", &O::plain_dtype, choice<PlainDtype>(plain_dtypes()),
            "type in which plain F32 tensors are stored (they decode to F32): the same; exact: f16 "
            "or bf16 if it holds every value exactly; f16 or bf16: rounded"),
      Field(
          "thin", &O::thin,
          choice<Thin>({{"int8", Thin::kInt8}, {"same", Thin::kSame}}).or_none(Thin::kUnlessNamed),
          "codec of thin tensors (weights of depthwise convolutions, tensors of fewer than 8192 "
          "weights): int8, or the same as other tensors (by default tcq with 6 to 8 bits, as "
          "quality says, but int8 below 2048 weights and for serving; same if a codec is named)"),
      Field("quality", &O::quality,
            choice<Quality>({{"high", Quality::kHigh},
                             {"balanced", Quality::kBalanced},
                             {"small", Quality::kSmall}}),
            "how many bits the default rule spends (docs/recipes.md), for tensors whose codec, "
            "block_size, centroids, groups, additive, lambda, engine, bits and step are not set"),
      Field(
          "for", &O::use,
          choice<Use>({{"any", Use::kAny}, {"storage", Use::kStorage}, {"serving", Use::kServing}}),
          "codecs that presets and targets may choose. any and storage: tcq and int8; targets also "
          "pq, with at most 1024 (any) or 4096 (storage) centroids. serving: pq and int8, which "
          "multiply from the codes and make small ONNX files; targets with at most 256 centroids"),
      Field("importance", &O::importance, positive(),
            "how much an error of these tensors counts when a target is searched for",
            {.has_flag = false}),
      Field(
          "correct_bias", &O::correct_bias, choice<BiasCorrection>(bias_corrections()),
          "move the bias of each weight with input statistics to cancel the mean error of its "
          "outputs, if this saves 5 % of the error or more; the value is the activation after the "
          "layer (none: no activation), off: do not move biases"),
      Field("bias", &O::bias, names(),
            "the bias that correct_bias moves, if its name does not follow from the name of the "
            "weight (fc.weight: fc.bias)",
            {.has_flag = false}),
      Field("kind", &O::kind, kinds(), "what tensors are to their layer, if it is not as inferred",
            {.has_flag = false}),
      Field("layout", &O::layout, letters(),
            "the dimensions of tensors in the order of the file, if it is not as inferred: o "
            "(outputs), i (inputs), d, h, w (kernel)",
            {.has_flag = false})};
  return kFields;
}

constexpr std::string_view kFallback = "fallback";

std::vector<SettingHelp> policies_help() {
  std::vector<SettingHelp> all;
  Policies::fields().describe(all);
  all.push_back({"", "fallback.KEY", "KEY=VALUE,...", PlainOptions::kCodec,
                 "codec and options of tensors that the codec does not make smaller, or decodes "
                 "with a relative error of 1 or more"});
  return all;
}

bool names_codec(const std::string& key) { return key == "codec" || key.ends_with(".codec"); }

// The last value of a key; empty when there is none.
std::string value_of(const Settings& settings, const std::string& key) {
  const auto found = std::find_if(settings.rbegin(), settings.rend(),
                                  [&](const auto& setting) { return setting.first == key; });
  return found == settings.rend() ? "" : found->second;
}

struct Parts {
  Settings policies;
  Settings fallback;
  Settings codec;
};

Parts parts_of(const Settings& settings) {
  Parts parts;
  parts.fallback = split(settings, kFallback).part;
  for (const auto& setting : settings) {
    if (Policies::fields().find(setting.first) != nullptr) parts.policies.push_back(setting);
    if (!is_policy(setting.first)) parts.codec.push_back(setting);
  }
  return parts;
}

CodecOptions fallback_from(const Settings& settings) {
  CodecOptions options = options_from(settings);
  if (joint_label(options).empty()) return options;
  throw Subject{}.error(ErrorCode::kInvalidArgument,
                        "fallback.joint={}: a fallback is for each tensor by itself",
                        shown(joint_label(options)));
}

// The settings that say how large a tensor becomes, or that presets do not fit. With one of them,
// the preset does not count.
constexpr const char* kSizeKeys[] = {"codec",  "block_size", "centroids", "groups", "additive",
                                     "lambda", "engine",     "bits",      "step"};

bool is_option_of(const CodecOptions& options, const std::string& key) {
  return std::visit([&]<class O>(const O&) { return O::fields().find(key) != nullptr; }, options);
}

// Whether some setting is an option of one codec and not of the other.
bool is_only_of(const Settings& settings, const CodecOptions& codec, const CodecOptions& other) {
  return std::ranges::any_of(settings, [&](const auto& setting) {
    return is_option_of(codec, setting.first) && !is_option_of(other, setting.first);
  });
}

// An option that pq has and tcq does not asks for the presets of pq, whatever `for` says.
Use use_of(const Policies& policies, const Settings& codec) {
  return is_only_of(codec, PqOptions(), TcqOptions()) ? Use::kServing : policies.use;
}

// The codec of options if no setting names it.
std::string codec_without_name(const Settings& codec) {
  return is_only_of(codec, TcqOptions(), PqOptions()) ? TcqOptions::kCodec : PqOptions::kCodec;
}

// The settings of a preset, with the caller's settings on top if its codec supports them.
Settings on_preset(const Settings& base, const Settings& codec) {
  const CodecOptions options = options_from(base);
  Settings own = codec;
  std::erase_if(own, [&](const auto& setting) { return !is_option_of(options, setting.first); });
  if (!has_key(layered(base, own), "row_scales")) {  // of narrow tensors
    std::erase_if(own, [](const auto& setting) { return setting.first == "gain_per"; });
  }
  return used_settings(layered(base, own), own);
}

// The settings of a role: the preset, with the options that the caller sets on top if they are for
// the same codec.
RoleSettings with_preset(const Policies& policies, Role role, const Settings& codec,
                         const CodecOptions& options) {
  const bool protects = policies.thin == Thin::kInt8 ||
                        (policies.thin == Thin::kUnlessNamed && !has_key(codec, "codec"));
  const bool is_thin = role == Role::kThin || role == Role::kTiny;
  const bool is_protected = is_thin && protects;
  if (!is_protected && sets_size(codec)) return {options};
  if (is_thin && !protects) role = Role::kLarge;
  if (is_thin && policies.thin == Thin::kInt8) role = Role::kTiny;  // whose preset is int8
  const Settings base = preset(policies.quality, role, use_of(policies, codec));
  if (has_key(codec, "codec")) {  // of a thin tensor
    if (value_of(codec, "codec") == value_of(base, "codec")) return {options, {}, to_string(base)};
    return {options_from(base), "thin: " + value_of(base, "codec"), to_string(base)};
  }
  Settings made = on_preset(base, codec);
  RoleSettings result{options_from(made)};
  std::erase_if(made, [&](const auto& setting) { return has_key(codec, setting.first); });
  result.preset = to_string(made);
  if (is_protected && result.options.index() != options.index()) {
    result.note = fmt::format("thin: {}", codec_name(result.options));
  }
  return result;
}

// The settings in `codec` that have no effect on top of the preset.
std::vector<UnusedSetting> unused_with_preset(const Settings& policies, const Settings& codec) try {
  Policies chosen;
  for (const auto& [key, value] : policies) Policies::fields().set(chosen, key, value);
  const Settings base = preset(chosen.quality, Role::kLarge, use_of(chosen, codec));
  if (value_of(base, "codec") != Int8Options::kCodec) {
    std::vector<UnusedSetting> unused = unused_options(layered(base, codec));
    std::erase_if(unused,
                  [&](const UnusedSetting& setting) { return !has_key(codec, setting.key); });
    return unused;
  }
  std::vector<UnusedSetting> unused;
  for (const auto& [key, value] : codec) {
    if (Int8Options::fields().find(key) != nullptr || PqOptions::fields().find(key) == nullptr) {
      continue;
    }
    unused.push_back({key, fmt::format("{}={}: quality={} chooses int8, which does not have this "
                                       "option; leave one of them out",
                                       key, value, value_of(policies, "quality"))});
  }
  return unused;
} catch (const Error&) {  // a wrong value
  return {};
}

}  // namespace

std::vector<SettingHelp> recipe_help() {
  std::vector<SettingHelp> all = policies_help();
  const std::vector<SettingHelp> of_codecs = settings_help();
  all.insert(all.end(), of_codecs.begin(), of_codecs.end());
  return all;
}

bool sets_size(const Settings& settings) {
  return std::ranges::any_of(kSizeKeys, [&](const char* key) { return has_key(settings, key); });
}

bool is_policy(const std::string& key) {
  return key.starts_with("fallback.") || Policies::fields().find(key) != nullptr;
}

TensorSettings tensor_settings_from(const Settings& settings, bool thin_differ) {
  for (const UnusedSetting& unused : unused_settings(settings)) {
    throw Error(ErrorCode::kInvalidArgument, unused.why);
  }
  const auto [given, fallback, codec] = parts_of(settings);
  Policies policies;
  for (const auto& [key, value] : given) Policies::fields().set(policies, key, value);
  if (!thin_differ && policies.thin == Thin::kUnlessNamed) policies.thin = Thin::kSame;
  Words keys;
  for (const SettingHelp& policy : policies_help()) keys.push_back(policy.key);
  // An option may have an effect only together with the preset.
  const std::string unnamed = codec_without_name(codec);
  const Settings alone = without(codec, unused_options(codec, unnamed), {});
  TensorSettings result{options_from(alone, unnamed, keys), {}};
  if (!fallback.empty()) result.fallback = fallback_from(fallback);
  result.plain_if_not_finite = policies.plain_if_not_finite;
  result.plain_dtype = policies.plain_dtype;
  result.kind = policies.kind;
  result.layout = policies.layout;
  result.is_free = thin_differ && !has_key(codec, "codec");
  result.is_searched = std::ranges::none_of(
      settings, [](const auto& setting) { return target_chooses(setting.first); });
  result.use = policies.use;
  result.importance = policies.importance;
  result.correct_bias = policies.correct_bias;
  result.bias = policies.bias;
  for (const Role role : kRoles) {
    result.by_role[static_cast<std::size_t>(role)] =
        with_preset(policies, role, codec, result.options);
  }
  result.text = to_string(settings);
  return result;
}

std::string to_string(const Settings& settings) {
  std::string text;
  for (const auto& [key, value] : settings) {
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", key, value);
  }
  return text;
}

std::vector<UnusedSetting> unused_settings(const Settings& settings) {
  auto [policies, fallback, codec] = parts_of(settings);
  std::vector<UnusedSetting> unused = sets_size(codec)
                                          ? unused_options(codec, codec_without_name(codec))
                                          : unused_with_preset(policies, codec);
  for (const auto& [key, why] : unused_options(fallback)) {
    unused.push_back({"fallback." + key, "fallback." + why});
  }
  const auto size = std::ranges::find_if(kSizeKeys, [&](auto* key) { return has_key(codec, key); });
  for (const char* policy : {"quality", "for"}) {
    if (size == std::end(kSizeKeys) || !has_key(policies, policy)) continue;
    unused.push_back(
        {policy, fmt::format("{}={}: {}={} takes the place of presets; leave one of "
                             "them out",
                             policy, value_of(policies, policy), *size, value_of(codec, *size))});
  }
  if (value_of(codec, "codec") != PlainOptions::kCodec) return unused;
  const auto add = [&](const Settings& useless, const char* why) {
    for (const auto& [key, value] : useless) {
      unused.push_back({key, fmt::format("{}={}: {}", key, value, why)});
    }
  };
  std::erase_if(policies, [](const auto& setting) {
    return setting.first == "plain_dtype" || setting.first == "kind" || setting.first == "layout";
  });
  add(policies, "codec=plain keeps every tensor as it is; leave one of them out");
  add(under(kFallback, fallback), "codec=plain needs no fallback; leave one of them out");
  return unused;
}

Settings without(Settings settings, const std::vector<UnusedSetting>& unused, const Settings& own) {
  for (const auto& [key, why] : unused) {
    if (has_key(own, key)) continue;
    std::erase_if(settings, [&](const auto& setting) { return setting.first == key; });
  }
  return settings;
}

Settings used_settings(const Settings& settings, const Settings& own) {
  return without(settings, unused_settings(settings), own);
}

Settings layered(Settings base, const Settings& over) {
  for (const auto& [key, value] : over) {
    if (!names_codec(key)) continue;
    const std::string place = key.substr(0, key.size() - std::string_view("codec").size());
    const std::string before = value_of(base, key);
    const bool unchanged = before.empty() ? place.empty() && value == "pq" : before == value;
    if (unchanged) continue;
    std::erase_if(base, [&](const auto& setting) {
      return setting.first.starts_with(place) && !(place.empty() && is_policy(setting.first));
    });
  }
  base.insert(base.end(), over.begin(), over.end());
  return base;
}

}  // namespace pqw
