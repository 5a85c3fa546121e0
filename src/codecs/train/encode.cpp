// Encoding by any codec: dispatch.
#include "pqw/codecs/encode.h"

#include <fmt/format.h>

#include "codecs/float_range.h"
#include "codecs/train/fields.h"
#include "core/subject.h"

namespace pqw {
namespace {

Words codec_names() {
  Words names;
  Codecs::for_each([&]<class C>(C) { names.push_back(C::kName); });
  return names;
}

CodecOptions default_options(const std::string& codec) {
  std::optional<CodecOptions> options;
  Codecs::for_each([&]<class C>(C) {
    if (codec == C::kName) options = typename C::Options();
  });
  if (options) return *std::move(options);
  bad_value("codec", codec, listed(codec_names()) + did_you_mean(codec, codec_names()));
}

// A factor must not have a label: it is not a tensor of the file.
void refuse_label(const CodecOptions& options) {
  const auto* tensorized = std::get_if<TensorizedOptions>(&options);
  if (tensorized == nullptr || tensorized->joint.empty()) return;
  throw invalid_argument("joint={}: factors cannot be joint layers", shown(tensorized->joint));
}

// Gives the settings of a part to the options of that part, if the codec has parts.
template <class Options>
void set_factors(Options& options, const Settings& settings) {
  if (settings.empty()) return;
  if constexpr (requires { options.factors; }) {
    *options.factors = options_from(settings, PlainCodec::kName);
    refuse_label(*options.factors);
  } else {
    throw invalid_argument("codec {}: unknown option 'factors.{}': it has no factors",
                           Options::Codec::kName, shown(settings.front().first));
  }
}

}  // namespace

std::string codec_name(const CodecOptions& options) {
  return std::visit([]<class O>(const O&) -> std::string { return O::Codec::kName; }, options);
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
      [&factors = factors]<class O>(O& o) {
        set_factors(o, factors);
        O::Codec::check(o);
      },
      options);
  for (const UnusedSetting& unused : unused_options(others, default_codec)) {
    throw invalid_argument("{}", unused.why);
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
  for (const auto& [key, why] : unused_options(factors, PlainCodec::kName)) {
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
  std::vector<SettingHelp> all = {
      {"", "codec", fmt::format("{}", fmt::join(codec_names(), "|")), "",
       "how to represent the weights; without it a preset chooses, or if "
       "options such as block_size or bits are set: tcq for an option "
       "that pq does not have, else pq"},
      {"", "factors.KEY", "KEY=VALUE,...", PlainCodec::kName,
       "codec and options of the factors of low_rank and tensorized"}};
  Codecs::for_each([&]<class C>(C) { C::Options::fields().describe(all); });
  return all;
}

CodecOptions resolved(CodecOptions options, std::span<const std::size_t> shape) {
  std::visit([&]<class O>(O& o) { O::Codec::resolve(o, shape); }, options);
  return options;
}

std::string obstacle_to(const CodecOptions& options, std::span<const std::size_t> shape) {
  return std::visit([&]<class O>(const O& o) { return O::Codec::obstacle(o, shape); }, options);
}

template <class C, class W, class O>
FloatTensor CodecBase<C, W, O>::prepare(FloatTensor tensor, const O&) {
  return tensor;
}

template <class C, class W, class O>
std::optional<WeightSize> CodecBase<C, W, O>::size(const FloatTensor& tensor, const O& options) {
  return C::size_by_shape(tensor.info, options);
}

struct Encoding::Stage {
  virtual ~Stage() = default;
  virtual std::optional<WeightSize> size() const = 0;
  virtual Weight encode(const EncodeContext& context) const = 0;
};

template <class C>
struct Encoding::StageOf : Encoding::Stage {
  static_assert(EncodingCodec<C>);

  StageOf(FloatTensor tensor, const typename C::Options& o)
      : name(tensor.info.name), options(o), prepared(C::prepare(std::move(tensor), o)) {}

  std::optional<WeightSize> size() const override {
    std::optional<WeightSize> size = C::size(prepared, options);
    if (size) size->record.info.name = name;
    return size;
  }

  Weight encode(const EncodeContext& context) const override {
    if (context.importance != nullptr && !C::kTakesImportances) {
      throw invalid_argument("codec {} does not support importances; use pq", C::kName);
    }
    return C::encode(prepared, options, context);
  }

  std::string name;
  typename C::Options options;
  typename C::Prepared prepared;
};

Encoding::Encoding(FloatTensor tensor, const CodecOptions& options)
    : stage_(std::visit(
          [&]<class O>(const O& o) -> std::unique_ptr<const Stage> {
            return std::make_unique<StageOf<typename O::Codec>>(std::move(tensor), o);
          },
          resolved(options, tensor.info.shape))) {}
Encoding::Encoding(Encoding&&) noexcept = default;
Encoding& Encoding::operator=(Encoding&&) noexcept = default;
Encoding::~Encoding() = default;

std::optional<WeightSize> Encoding::size() const { return stage_->size(); }
Weight Encoding::encode(const EncodeContext& context) const { return stage_->encode(context); }

std::optional<WeightSize> size_by_shape(const TensorInfo& tensor, const CodecOptions& options) {
  return std::visit([&]<class O>(const O& o) { return O::Codec::size_by_shape(tensor, o); },
                    resolved(options, tensor.shape));
}

std::string remarks_on(const Weight& weight, const CodecOptions& options) {
  return std::visit(
      [&]<class O>(const O& o) {
        using C = typename O::Codec;
        return C::remarks(std::get<typename C::Weight>(weight), o);
      },
      options);
}

bool outcome_is_sure(const CodecOptions& options, const FloatTensor& tensor) {
  const bool is_sure =
      std::visit([]<class O>(const O& o) { return O::Codec::is_sure(o); }, options);
  return is_sure && !near_limits(tensor);
}

bool near_limits(const FloatTensor& tensor) {
  const bool half = tensor.info.dtype == DType::kF16;
  const double least = half ? 0x1p-14 : 0x1p-122;
  const double most = half ? 0x1p15 : 0x1p120;
  const float largest = largest_magnitude(tensor.values);
  if (largest == 0) return false;
  double squares = 0;
  for (const float value : tensor.values) squares += static_cast<double>(value) * value;
  return largest > most || squares < least * least * static_cast<double>(tensor.values.size());
}

bool is_placeholder(const CodecOptions& options) {
  return std::visit([]<class O>(const O& o) { return O::Codec::is_placeholder(o); }, options);
}

}  // namespace pqw
