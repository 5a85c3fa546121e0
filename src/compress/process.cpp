// Does what was decided for an item of a plan.
#include "compress/process.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <utility>

#include "codecs/alias.h"
#include "codecs/carried.h"
#include "codecs/cast.h"
#include "codecs/record_checks.h"
#include "compress/worth.h"
#include "core/permute.h"
#include "model/archive_tensors.h"
#include "pipeline/adopting_reader.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/pipeline/evaluate.h"

namespace pqw {
namespace {

using Notes = std::vector<std::string>;

constexpr char kWouldNotShrink[] = "would not shrink";

// The notes that are not empty, in one text.
std::string joined(Notes notes) {
  std::erase(notes, "");
  return fmt::format("{}", fmt::join(notes, "; "));
}

StoredTensor keep(Source& source, std::string reason, Mode mode) {
  const TensorInfo& info = source.info();
  StoredTensor stored{info, PlainBytes{}, {}};
  TensorReport& report = stored.report;
  report.info = info;
  report.note = std::move(reason);
  report.bytes = byte_count(info);
  report.n_parameters = element_count(info.shape);
  report.exact = !is_basic(info.dtype);
  if (mode == Mode::kEncode) report.distortion.emplace();
  if (report.exact) {
    report.codec = kCarriedCodec;
    stored.content =
        carried_record(info, mode == Mode::kEncode ? source.bytes() : std::span<const std::byte>());
  } else if (mode == Mode::kEncode) {
    stored.content = PlainBytes{source.share()};
  }
  return stored;
}

// `notes` come before the remarks of the codec, and before what was guessed about the tensor.
StoredTensor encoded(const TensorInfo& info, const CodecOptions& options, WeightSize made,
                     Notes notes) {
  notes.push_back(std::move(made.remarks));
  notes.push_back(info.layout.ambiguous);
  StoredTensor stored{info, {}, {}};
  stored.report = {.info = info,
                   .codec = codec_name(options),
                   .settings = std::move(made.summary),
                   .options = made.record.options,
                   .note = joined(std::move(notes)),
                   .bytes = data_bytes(made.record),
                   .n_parameters = made.n_parameters,
                   .inner_width = made.inner_width,
                   .at_most = made.at_most};
  stored.content = transposed(std::move(made.record), info);
  return stored;
}

StoredTensor encoded(const TensorInfo& info, const CodecOptions& options, const Weight& weight,
                     Record record, Notes notes) {
  const auto* low_rank = std::get_if<LowRankWeight>(&weight);
  return encoded(info, options,
                 {std::move(record), summary(weight), parameter_count(weight),
                  low_rank == nullptr ? 0 : low_rank->rank(), remarks_on(weight, options), false},
                 std::move(notes));
}

StoredTensor adopt(std::span<Source> sources, const Int8Options& options, Mode mode,
                   const std::string& path) {
  std::vector<StoredPart> parts;
  for (Source& source : sources) parts.push_back({source.info(), source.bytes()});
  Int8Weight weight = adopted_weight(path, parts);
  weight.activations = options.activations;
  const TensorInfo info = adopted_info(sources[0].info(), sources[1].info());
  StoredTensor stored =
      encoded(info, options, weight, to_record(weight, info.name), {"adopted: int8 in the input"});
  if (mode == Mode::kEncode) {
    stored.report.distortion = measure_stored(decoded_bytes(weight, info), info, weight);
  }
  return stored;
}

// Whether the tensor is large, and its floats are larger: with its bytes beside them, preparing it
// would take more than three times the memory of the tensor (docs/architecture.md, "Memory"). Such
// a tensor is read again when its encoding is measured.
bool is_small_beside_floats(const TensorInfo& info) {
  constexpr std::size_t kLargeBytes = std::size_t{1} << 20;
  return size_in_bytes(info.dtype) < sizeof(float) && byte_count(info) > kLargeBytes;
}

// A weight, and whether it was made to keep outputs.
struct Made {
  Weight weight;
  Record record;
  bool keeps_outputs = false;
  std::string note = {};
};

Made made_of(Weight weight, const TensorInfo& info, bool keeps_outputs) {
  Record record = to_record(weight, info.name);
  return {std::move(weight), std::move(record), keeps_outputs};
}

// With statistics (`inputs`, or null), encodes with and without them and returns the better one.
Made make(Source& source, std::optional<Encoding> encoding, const CodecOptions& options,
          const InputStatistics* inputs, const EncodeAids& aids) {
  const TensorInfo& info = source.info();
  const bool compares = inputs != nullptr && uses_statistics(options, *inputs);
  std::optional<Weight> by_inputs;
  if (compares) by_inputs = encoding->encode({.observer = aids.observer, .inputs = inputs});
  Weight by_itself = encoding->encode({.observer = compares ? nullptr : aids.observer});
  encoding.reset();  // frees the blocks before the measuring
  Made plain = made_of(std::move(by_itself), info, false);
  if (!compares) {
    if (inputs != nullptr) plain.note = "these settings do not use statistics of inputs";
    return plain;
  }
  Made kept = made_of(*std::move(by_inputs), info, true);
  const auto judged = [&](const Made& made) {
    return JudgedOutputs{judge_outputs(source.bytes(), info, made.weight, *inputs),
                         data_bytes(made.record)};
  };
  const bool pays =
      shrinks(data_bytes(kept.record), info) &&
      statistics_pay(judged(kept), judged(plain), element_count(info.shape), inputs->n_held_out());
  if (pays) return kept;
  plain.note = "made without statistics of inputs, which did not make outputs closer";
  return plain;
}

// The tensor by one candidate; empty if it would not shrink, would not stay below that many bytes,
// or would be lost: then `faults` get the reason.
std::optional<StoredTensor> attempt(Source& source, FloatTensor tensor, const CodecOptions& options,
                                    const std::string& note, std::uint64_t below, Mode mode,
                                    const EncodeAids& aids, Notes& faults) {
  const TensorInfo& info = source.info();
  const bool learns = mode == Mode::kEncode || !outcome_is_sure(options, tensor);
  if (is_small_beside_floats(info)) source.release();
  std::optional<Encoding> encoding(std::in_place, std::move(tensor), options);
  auto size = encoding->size();
  if (size && !shrinks(data_bytes(size->record), info)) return std::nullopt;
  if (size && data_bytes(size->record) >= below) {
    faults.push_back("pq would not be smaller");
    return std::nullopt;
  }
  Notes notes = faults;
  notes.push_back(note);
  if (!learns) return encoded(info, options, std::move(*size), std::move(notes));
  size.reset();
  const auto inputs = aids.statistics == nullptr ? std::nullopt : aids.statistics->inputs_of(info);
  Made made = make(source, std::move(encoding), options, inputs ? &*inputs : nullptr, aids);
  notes.push_back(std::move(made.note));
  if (!shrinks(data_bytes(made.record), info)) return std::nullopt;
  const Distortion distortion = measure_stored(source.bytes(), info, made.weight);
  std::optional<OutputError> outputs;
  if (inputs) outputs = measure_outputs_of(source.bytes(), info, made.weight, *inputs);
  const std::string fault =
      made.keeps_outputs ? fault_of(*outputs, options) : fault_of(distortion, options);
  if (!fault.empty()) {
    faults.push_back(fault);
    return std::nullopt;
  }
  StoredTensor stored =
      encoded(info, options, made.weight, std::move(made.record), std::move(notes));
  if (mode == Mode::kEncode) {
    stored.report.distortion = distortion;
    stored.report.output_error = outputs;
  }
  return stored;
}

// A tensor by itself, by one of these candidates. `refusal` says why it is no layer of a joint
// tensor, if it was to be one.
StoredTensor encode_alone(Source& source, const Encode& encode,
                          std::span<const CodecOptions> candidates, const std::string& refusal,
                          Mode mode, const EncodeAids& aids) {
  Floats floats = floats_of(source, encode);
  if (!floats.tensor) return keep(source, floats.obstacle, mode);
  Notes faults;
  for (const CodecOptions& options : candidates) {
    if (!floats.tensor) floats = floats_of(source, encode);
    const bool is_first = &options == &encode.candidates.front();
    FloatTensor tensor = std::move(*floats.tensor);
    floats.tensor.reset();
    auto stored = attempt(source, std::move(tensor), options, is_first ? encode.note : "",
                          is_first ? encode.first_below : ~std::uint64_t{0}, mode, aids, faults);
    if (stored) return std::move(*stored);
  }
  faults.insert(faults.begin(), refusal);
  const std::string reason = joined(std::move(faults));
  return keep(source, reason.empty() ? kWouldNotShrink : reason, mode);
}

// Adds the layers of a joint tensor to `stored`, or returns why they are not joint: the joint
// tensor would not be smaller than its layers, a layer must stay plain, or a layer would be lost.
// Learns in mode kSize, too: joint factors may lose a layer that is faint or unlike the others.
std::string encode_layers(std::span<Source> sources, const Encode& encode, Mode mode,
                          EmObserver* observer, std::vector<StoredTensor>& stored) {
  const CodecOptions& options = encode.candidates.front();
  const auto& tensorized = std::get<TensorizedOptions>(options);
  const TensorInfo& owner = sources.front().info();
  const std::size_t n_layers = sources.size();
  const auto size = joint_size(canonical(owner), n_layers, tensorized);
  if (size && !shrinks(data_bytes(size->record), owner, n_layers)) return kWouldNotShrink;
  std::vector<FloatTensor> layers;
  for (Source& source : sources) {
    Floats floats = floats_of(source, encode);
    if (!floats.tensor) return fmt::format("a joint layer {}", floats.obstacle);
    layers.push_back(std::move(*floats.tensor));
  }
  const std::vector<TensorizedWeight> weights =
      encode_joint(layers, tensorized, {.observer = observer});
  layers.clear();
  for (std::size_t l = 0; l < n_layers; ++l) {
    const TensorInfo& info = sources[l].info();
    const bool owns = l == 0;
    Record record = owns ? to_record(weights[l], info.name)
                         : to_record_sharing(weights[l], info.name, owner.name);
    if (owns && !shrinks(data_bytes(record), owner, n_layers)) return kWouldNotShrink;
    const Distortion distortion = measure_stored(sources[l].bytes(), info, weights[l]);
    const std::string fault = fault_of(distortion, options);
    if (!fault.empty()) return fmt::format("a joint layer: {}", fault);
    stored.push_back(
        encoded(info, options, weights[l], std::move(record),
                {owns ? fmt::format("joint: has the factors of {} layers", n_layers)
                      : fmt::format("joint: factors of {}", quoted("tensor", owner.name))}));
    if (mode == Mode::kEncode) stored.back().report.distortion = distortion;
  }
  return "";
}

// If the layers are not joint, each is encoded by the other candidates.
std::vector<StoredTensor> encode_joint_item(std::span<Source> sources, const Encode& encode,
                                            Mode mode, const EncodeAids& aids) {
  std::vector<StoredTensor> stored;
  const std::string refusal = encode_layers(sources, encode, mode, aids.observer, stored);
  if (refusal.empty()) return stored;
  stored.clear();
  const auto others = std::span(encode.candidates).subspan(1);
  for (Source& source : sources) {
    stored.push_back(encode_alone(source, encode, others, refusal, mode, aids));
  }
  return stored;
}

// A weight by itself, and its bias, which is corrected if that helps.
std::vector<StoredTensor> encode_with_bias(std::span<Source> sources, const WorkItem& item,
                                           Mode mode, const EncodeAids& aids) {
  const auto& encode = std::get<Encode>(item.action);
  std::vector<StoredTensor> stored;
  stored.push_back(encode_alone(sources[0], encode, encode.candidates, "", mode, aids));
  stored.push_back(keep(sources[1], "rank below 2", mode));
  const TensorInfo &info = sources[0].info(), &bias_info = sources[1].info();
  const auto* record = std::get_if<Record>(&stored[0].content);
  if (mode == Mode::kSize || record == nullptr || !stored[0].report.output_error) return stored;
  const auto inputs = aids.statistics->inputs_of(info);
  const auto canonical_floats = [&](std::vector<std::byte> bytes) {
    std::vector<float> values(element_count(info.shape));
    to_float(to_canonical(info, std::move(bytes)), info.dtype, values);
    return values;
  };
  const auto original = sources[0].bytes();
  const std::vector<float> w = canonical_floats({original.begin(), original.end()});
  const std::vector<float> w_hat =
      canonical_floats(decoded_bytes(weight_from_record(*record), info));
  const auto [rows, cols] = matrix_shape(canonical_shape(info.shape, info.layout.axes));
  CorrectedBias made = corrected_bias({w.data(), rows, cols}, {w_hat.data(), rows, cols}, *inputs,
                                      bias_info, sources[1].bytes(), item.correct_bias);
  stored[1].report.note = std::move(made.note);
  if (made.bytes.empty()) return stored;
  stored[1].report.distortion =
      measure(bias_info.dtype, sources[1].bytes(), bias_info.dtype, made.bytes);
  stored[1].content =
      PlainBytes{std::make_shared<const std::vector<std::byte>>(std::move(made.bytes))};
  return stored;
}

// Stores a plain tensor in the type that is wanted for it.
void narrow(StoredTensor& stored, Source& source, PlainDtype wanted, Mode mode) {
  const bool is_plain = std::holds_alternative<PlainBytes>(stored.content);
  if (!is_plain || !may_be_narrowed(stored.info, wanted)) return;
  Narrowed made = narrowed(stored.info, source.bytes(), wanted);
  TensorReport& report = stored.report;
  report.note = joined({report.note, made.note});
  if (!made.record) return;
  report.codec = kCastCodec;
  report.narrowed = true;
  report.bytes = data_bytes(*made.record);
  if (mode == Mode::kEncode) report.distortion = made.distortion;
  stored.content = std::move(*made.record);
}

}  // namespace

Floats floats_of(Source& source, const Encode& encode) {
  try {
    const TensorInfo& info = source.info();
    if (info.layout.axes.empty()) return {read_floats(info, source.bytes())};
    const auto bytes = source.bytes();
    const auto in_order = to_canonical(info, {bytes.begin(), bytes.end()});
    return {read_floats(canonical(info), in_order)};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kUnsupported) {
      return {std::nullopt, "has only weights below the range of float"};
    }
    if (error.code() != ErrorCode::kNonFinite) throw;
    if (!encode.keep_if_not_finite) {  // this error names the index in the order of the file
      return {read_floats(source.info(), source.bytes())};
    }
    return {std::nullopt, "holds NaN or infinity"};
  }
}

void add(const StoredTensor& tensor, ArchiveWriter& writer) {
  if (const auto* record = std::get_if<Record>(&tensor.content)) return writer.add(*record);
  writer.add_plain(tensor.info, *std::get<PlainBytes>(tensor.content).bytes);
}

void add(const StoredTensor& tensor, ArchiveSizer& sizer) {
  if (const auto* record = std::get_if<Record>(&tensor.content)) return sizer.add(*record);
  sizer.add_plain(tensor.info);
}

std::vector<StoredTensor> process(const WorkItem& item, std::span<Source> sources, Mode mode,
                                  const std::string& path, const EncodeAids& aids) {
  std::vector<StoredTensor> stored;
  if (const auto* plain = std::get_if<Keep>(&item.action)) {
    stored.push_back(keep(sources.front(), plain->reason, mode));
  } else if (const auto* int8 = std::get_if<AdoptInt8>(&item.action)) {
    stored.push_back(adopt(sources, int8->options, mode, path));
  } else {
    const auto& encode = std::get<Encode>(item.action);
    stored =
        item.has_bias ? encode_with_bias(sources, item, mode, aids)
        : sources.size() > 1
            ? encode_joint_item(sources, encode, mode, aids)
            : std::vector{encode_alone(sources.front(), encode, encode.candidates, "", mode, aids)};
  }
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (i == 0 || !item.has_bias) narrow(stored[i], sources[i], item.plain_dtype, mode);
  }
  return stored;
}

StoredTensor alias_of(const TensorReport& target, const TensorInfo& info) {
  StoredTensor stored{info, alias_record(info, target.info.name), {}};
  TensorReport& report = stored.report;
  report.info = info;
  report.codec = kAliasCodec;
  report.narrowed = target.narrowed;
  report.exact = !target.compressed() && !target.narrowed;
  report.note = same_as(target.info.name);
  report.bytes = target.info.name.size();
  report.distortion = target.distortion;
  return stored;
}

}  // namespace pqw
