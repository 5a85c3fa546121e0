// Encoding by any codec: dispatch.
#include "pqw/codecs/encode.h"

#include <fmt/format.h>

#include "codecs/train/fields.h"
#include "pqw/codecs/foresight.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// Every codec with its default options.
std::vector<CodecOptions> all_defaults() {
  return {PqOptions{}, Int8Options{}, LowRankOptions{}, PlainOptions{}, TensorizedOptions()};
}

Words codec_names() {
  Words names;
  for (const CodecOptions& options : all_defaults()) names.push_back(codec_name(options));
  return names;
}

CodecOptions default_options(const std::string& codec) {
  for (const CodecOptions& options : all_defaults()) {
    if (codec_name(options) == codec) return options;
  }
  bad_value("codec", codec, listed(codec_names()) + did_you_mean(codec, codec_names()));
}

// A factor must not have a label: it is not a tensor of the file.
void refuse_label(const CodecOptions& options) {
  const auto* tensorized = std::get_if<TensorizedOptions>(&options);
  if (tensorized == nullptr || tensorized->joint.empty()) return;
  throw Error(ErrorCode::kInvalidArgument,
              fmt::format("joint={}: factors cannot be joint layers", tensorized->joint));
}

// Hands the settings of a part to the options of that part, if the codec has such.
template <class Options>
void set_factors(Options& options, const Settings& settings) {
  if (settings.empty()) return;
  if constexpr (requires { options.factors; }) {
    *options.factors = options_from(settings, PlainOptions::kCodec);
    refuse_label(*options.factors);
  } else {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("codec {}: unknown option 'factors.{}': it has no factors",
                            Options::kCodec, settings.front().first));
  }
}

// Whether the codec has a function of its own. The functions for any codec would match too, by
// conversion, and then call themselves.
template <class W, class O>
concept HasRemarks = requires {
  static_cast<std::string (*)(const W&, const O&)>(&remarks);
};

}  // namespace

FactorOptions::FactorOptions() : FactorOptions(PlainOptions{}) {}
FactorOptions::FactorOptions(CodecOptions options)
    : options_(std::make_unique<CodecOptions>(std::move(options))) {}
FactorOptions::FactorOptions(const FactorOptions& other) : FactorOptions(*other) {}
FactorOptions& FactorOptions::operator=(const FactorOptions& other) {
  return *this = FactorOptions(*other);
}
bool FactorOptions::operator==(const FactorOptions& other) const { return **this == *other; }
FactorOptions::FactorOptions(FactorOptions&&) noexcept = default;
FactorOptions& FactorOptions::operator=(FactorOptions&&) noexcept = default;
FactorOptions::~FactorOptions() = default;

std::string codec_name(const CodecOptions& options) {
  return std::visit([](const auto& o) -> std::string { return o.kCodec; }, options);
}

CodecOptions parse_options(const Settings& settings, const std::string& default_codec,
                           Words other_keys) {
  other_keys.insert(other_keys.end(), {"codec", "factors.KEY"});
  std::string codec = default_codec;
  for (const auto& [key, value] : settings) {
    if (key == "codec") codec = value;
  }
  CodecOptions options = default_options(codec);
  std::visit(
      [&]<class O>(O& o) {
        for (const auto& [key, value] : settings) {
          if (key != "codec") O::fields().set(o, key, value, other_keys);
        }
      },
      options);
  return options;
}

CodecOptions options_from(const Settings& settings, const std::string& default_codec,
                          const Words& other_keys) {
  const auto [factors, others] = split(settings, "factors");
  CodecOptions options = parse_options(others, default_codec, other_keys);
  std::visit(
      [&factors = factors](auto& o) {
        set_factors(o, factors);
        if constexpr (requires { check(o); }) check(o);
      },
      options);
  for (const UnusedSetting& unused : unused_options(others, default_codec)) {
    throw Error(ErrorCode::kInvalidArgument, unused.why);
  }
  return options;
}

std::vector<UnusedSetting> unused_options(const Settings& settings,
                                          const std::string& default_codec) try {
  if (settings.empty()) return {};
  const auto [factors, own] = split(settings, "factors");
  std::vector<UnusedSetting> unused;
  const CodecOptions options = parse_options(own, default_codec, {});
  for (const auto& [key, value] : own) {
    const std::string why =
        std::visit([&]<class O>(const O& o) { return O::fields().unused(o, key); }, options);
    if (!why.empty()) unused.push_back({key, fmt::format("{}={}: {}", key, value, why)});
  }
  for (const auto& [key, why] : unused_options(factors, PlainOptions::kCodec)) {
    unused.push_back({"factors." + key, "factors." + why});
  }
  return unused;
} catch (const Error&) {
  return {};
}

std::string to_string(const CodecOptions& options) {
  return std::visit([]<class O>(const O& o) { return O::fields().text(o); }, options);
}

std::vector<SettingHelp> settings_help() {
  std::vector<SettingHelp> all = {{"", "codec", fmt::format("{}", fmt::join(codec_names(), "|")),
                                   PqOptions::kCodec, "how to represent the weights"},
                                  {"", "factors.KEY", "KEY=VALUE,...", PlainOptions::kCodec,
                                   "codec and options of the factors of low_rank and tensorized"}};
  for (const CodecOptions& options : all_defaults()) {
    std::visit([&]<class O>(const O&) { O::fields().describe(all); }, options);
  }
  return all;
}

CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape) {
  std::visit([&](auto& o) { resolve(o, shape); }, options);
  return options;
}

// The functions for all codecs have other names than those of a codec, which they ask for: a codec
// without one would otherwise be converted to the variant and find the function for all.
std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape) {
  return std::visit(
      [&](const auto& o) -> std::string {
        if constexpr (requires { obstacle(o, shape); }) {
          return obstacle(o, shape);
        } else {
          return "";
        }
      },
      options);
}

struct Encoding::Stage {
  virtual ~Stage() = default;
  virtual std::optional<WeightSize> size() const = 0;
  virtual Weight encode(const EncodeContext& context) const = 0;
};

namespace {

WeightSize size_of(const Weight& plan, const TensorInfo& info, const CodecOptions& options) {
  WeightSize size{{}, summary(plan), parameter_count(plan), 0, remarks_on(plan, options)};
  if (const auto* low_rank = std::get_if<LowRankWeight>(&plan)) size.inner_width = low_rank->rank();
  if (const auto* plain = std::get_if<PlainWeight>(&plan)) {
    size.record = {info, PlainWeight::kCodec, {}, "", {{"values", plain->dtype, plain->shape, {}}}};
  } else {
    size.record = to_record(plan, info.name);
  }
  return size;
}

}  // namespace

template <class Options>
struct Encoding::StageOf : Encoding::Stage {
  StageOf(FloatTensor tensor, const Options& o)
      : info(tensor.info), options(o), prepared(prepare(std::move(tensor), o)) {}

  std::optional<WeightSize> size() const override {
    if (foresight(options) == Foresight::kNothing) return std::nullopt;
    return size_of(plan_weight(prepared, options), info, options);
  }

  Weight encode(const EncodeContext& context) const override {
    if constexpr (std::is_same_v<Options, PqOptions>) {
      return pqw::encode(prepared, options, context.observer,
                         context.importance ? *context.importance : PqImportance{});
    } else {
      if (context.importance != nullptr) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("codec {} does not support importances; use pq", Options::kCodec));
      }
      return pqw::encode(prepared, options, context.observer);
    }
  }

  TensorInfo info;
  Options options;
  decltype(prepare(FloatTensor{}, std::declval<const Options&>())) prepared;
};

Encoding::Encoding(FloatTensor tensor, const CodecOptions& options)
    : stage_(std::visit(
          [&]<class O>(const O& o) -> std::unique_ptr<const Stage> {
            return std::make_unique<StageOf<O>>(std::move(tensor), o);
          },
          resolved(options, tensor.info.shape))) {}
Encoding::Encoding(Encoding&&) noexcept = default;
Encoding& Encoding::operator=(Encoding&&) noexcept = default;
Encoding::~Encoding() = default;

std::optional<WeightSize> Encoding::size() const { return stage_->size(); }
Weight Encoding::encode(const EncodeContext& context) const { return stage_->encode(context); }

std::optional<WeightSize> joint_size(const TensorInfo& layer, std::size_t n_layers,
                                     const TensorizedOptions& options) {
  if (foresight(options) == Foresight::kNothing) return std::nullopt;
  return size_of(plan_joint(layer, n_layers, options), layer, options);
}

bool outcome_is_sure(const CodecOptions& options, const FloatTensor& tensor) {
  return foresight(options) == Foresight::kOutcome && !near_limits(tensor);
}

Weight plan_weight(FloatTensor tensor, const CodecOptions& options) {
  return std::visit(
      [&](const auto& o) -> Weight { return plan_weight(prepare(std::move(tensor), o), o); },
      resolved(options, tensor.info.shape));
}

Weight encode(FloatTensor tensor, const CodecOptions& options, EmObserver* observer) {
  return std::visit(
      [&](const auto& o) -> Weight { return encode(prepare(std::move(tensor), o), o, observer); },
      resolved(options, tensor.info.shape));
}

std::optional<Weight> encode_if(const std::function<bool(const Weight&)>& accepts,
                                FloatTensor tensor, const CodecOptions& options,
                                EmObserver* observer) {
  return std::visit(
      [&](const auto& o) -> std::optional<Weight> {
        const auto prepared = prepare(std::move(tensor), o);
        const bool foreseen = foresight(o) != Foresight::kNothing;
        if (foreseen && !accepts(plan_weight(prepared, o))) return std::nullopt;
        std::optional<Weight> weight = encode(prepared, o, observer);
        if (!foreseen && !accepts(*weight)) weight.reset();
        return weight;
      },
      resolved(options, tensor.info.shape));
}

std::string remarks_on(const Weight& weight, const CodecOptions& options) {
  return std::visit(
      []<class W, class O>(const W& w, const O& o) -> std::string {
        if constexpr (HasRemarks<W, O>) {
          return remarks(w, o);
        } else {
          return "";
        }
      },
      weight, options);
}

}  // namespace pqw
