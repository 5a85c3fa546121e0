// Copies of archives in which some tensors have other values.
#include "pqw/pipeline/replace.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <span>

#include "codecs/alias.h"
#include "codecs/carried.h"
#include "codecs/cast.h"
#include "codecs/float_range.h"
#include "codecs/pq/value/row_scales.h"
#include "codecs/record_checks.h"
#include "core/subject.h"
#include "io/different_files.h"
#include "model/archive_tensors.h"
#include "pipeline/checks.h"
#include "pqw/archive/archive.h"
#include "pqw/core/convert.h"

namespace pqw {
namespace {

// A tensor as an archive stores it: a record, or its plain values.
struct Stored {
  Record record;  // of a plain tensor: the codec "plain" and no sections
  std::vector<std::byte> plain = {};
};

bool is_equal(const Record& a, const Record& b) {
  const auto same_section = [](const Section& x, const Section& y) {
    return x.name == y.name && x.dtype == y.dtype && x.shape == y.shape && x.bytes == y.bytes;
  };
  return a.codec == b.codec && a.features == b.features && a.options == b.options &&
         std::ranges::equal(a.sections, b.sections, same_section) && a.parts.empty() &&
         b.parts.empty();
}

bool is_equal(const Stored& a, const Stored& b) {
  return is_equal(a.record, b.record) && a.plain == b.plain;
}

std::size_t index_in(const ArchiveReader& archive, const std::string& name) {
  if (const auto index = archive.find(name)) return *index;
  throw Subject{archive.path()}.error(ErrorCode::kNotFound, "no tensor is named '{}'", shown(name));
}

// The record or plain tensor at an index of the archive, with the name and kind of layer of `info`.
Stored stored_at(const ArchiveReader& archive, std::size_t index, const TensorInfo& info) {
  const auto named = [&](Record record) {
    record.info.name = info.name;
    record.info.layout.kind = info.layout.kind;
    return record;
  };
  const ArchiveEntry& entry = archive.entries()[index];
  if (entry.codec != "plain") return {named(archive.read(index))};
  return {named({entry.info, entry.codec, {}, "", {}}), archive.read_plain(index)};
}

void require_count(const Subject& tensor, const char* what, std::size_t n, std::size_t expected) {
  if (n == expected) return;
  throw tensor.error("{} {} are given, expected {}", n, what, expected);
}

constexpr std::uint16_t kLargestF16 = 0x7bff;

void set_codebooks(const Subject& tensor, std::span<const float> values, PqWeight& weight) {
  require_count(tensor, "values of codebooks", values.size(), weight.codebooks.size());
  const float largest = largest_magnitude(values);
  const float most = weight.codebook_dtype == DType::kF16 ? f16_to_float(kLargestF16)
                                                          : std::numeric_limits<float>::max();
  if (!(largest <= most)) {
    throw tensor.error("a codebook holds {:g}, expected numbers up to {:g}, the largest of {}",
                       largest, most, to_string(weight.codebook_dtype));
  }
  weight.codebooks.assign(values.begin(), values.end());
}

void set_row_scales(const Subject& tensor, std::span<const float> values, PqWeight& weight) {
  require_count(tensor, "row scales", values.size(), weight.row_scales.size());
  for (std::size_t r = 0; r < values.size(); ++r) {
    if (!(values[r] >= 0 && values[r] <= kLargestRowScale)) {
      throw tensor.error("row scale {:g}, expected 0 to {:g}", values[r], kLargestRowScale);
    }
    weight.row_scales[r] = nearest_row_scale(values[r], weight.row_scale_type);
  }
}

// Makes the new content of the tensors of an archive.
class Replacer {
 public:
  Replacer(const ArchiveReader& archive, const std::map<std::string, NewValues>& values,
           const ReadOptions& reading)
      : archive_(archive), values_(values), reading_(reading) {
    for (const auto& [name, unused] : values) (void)index_in(archive, name);
  }

  Stored content(std::size_t index) {
    const ArchiveEntry& entry = archive_.entries()[index];
    const NewValues* const value = value_of(entry.info.name);
    if (entry.codec != kAliasCodec) {
      return value == nullptr ? stored_at(archive_, index, entry.info) : replaced(index, *value);
    }
    const std::size_t target = stored_index(archive_, index);
    const NewValues* const of_target = value_of(archive_.entries()[target].info.name);
    Stored alias = {archive_.read(index)};
    if (value == nullptr && of_target == nullptr) return alias;
    Stored own =
        value == nullptr ? stored_at(archive_, target, entry.info) : replaced(index, *value);
    const Stored other = of_target == nullptr ? stored_at(archive_, target, entry.info)
                                              : replaced(target, *of_target);
    return is_equal(own, other) ? std::move(alias) : std::move(own);
  }

 private:
  const NewValues* value_of(const std::string& name) const {
    const auto found = values_.find(name);
    return found == values_.end() ? nullptr : &found->second;
  }

  Subject subject(const TensorInfo& info) const {
    return Subject{archive_.path(), ErrorCode::kInvalidArgument}.in("tensor", info.name);
  }

  Stored replaced(std::size_t index, const NewValues& value) {
    TensorInfo info = original_info(archive_, index);
    if (const auto* const pq = std::get_if<PqValues>(&value)) return {pq_record(info, *pq)};
    return plain(info, stored_index(archive_, index), std::get<PlainValues>(value));
  }

  // `stored`: the index of the tensor that stores the old values.
  Stored plain(const TensorInfo& info, std::size_t stored, const PlainValues& bytes) const {
    const std::string& codec = archive_.entries()[stored].codec;
    if (!has_values(archive_, stored)) {
      throw subject(info).error("is stored by codec {}; only plain values can be replaced",
                                shown(codec));
    }
    if (bytes.size() != byte_count(info)) {
      throw subject(info).error("{} bytes are given, shape {} of {} needs {}", bytes.size(),
                                to_string(info.shape), dtype_name(info), byte_count(info));
    }
    if (codec == kCarriedCodec) return {carried_record(info, bytes)};
    if (codec != kCastCodec) return {{info, codec, {}, "", {}}, bytes};
    const DType narrow = cast_dtype(archive_.read(stored));
    std::vector<float> floats(element_count(info.shape));
    to_float(bytes, info.dtype, floats);
    std::vector<std::byte> narrowed(floats.size() * size_in_bytes(narrow));
    from_float(floats, narrow, narrowed);
    return {cast_record(info, narrow, narrowed)};
  }

  const ArchiveReader& archive_of_codes(const PqValues& value) {
    if (value.codes_from.empty()) return archive_;
    auto& opened = opened_[value.codes_from];
    if (!opened) opened = std::make_unique<ArchiveReader>(value.codes_from, reading_);
    return *opened;
  }

  Record pq_record(const TensorInfo& info, const PqValues& value) {
    const ArchiveReader& from = archive_of_codes(value);
    const std::size_t index = index_in(from, info.name);
    const std::size_t stored = stored_index(from, index);
    const Subject tensor =
        Subject{from.path(), ErrorCode::kInvalidArgument}.in("tensor", info.name);
    TensorInfo of_codes = original_info(from, index);
    if (of_codes.dtype != info.dtype || of_codes.shape != info.shape) {
      throw tensor.error("is {} of shape {}, expected {} of shape {}", dtype_name(of_codes),
                         to_string(of_codes.shape), dtype_name(info), to_string(info.shape));
    }
    const std::string& codec = from.entries()[stored].codec;
    if (codec != PqCodec::kName) {
      throw tensor.error("is stored by codec {}, expected codec {}, which has codebooks",
                         shown(codec), PqCodec::kName);
    }
    PqWeight weight = PqCodec::from_record(from.read(stored));
    if (!value.codebooks.empty()) set_codebooks(tensor, value.codebooks, weight);
    if (!value.row_scales.empty()) set_row_scales(tensor, value.row_scales, weight);
    of_codes.layout.kind = info.layout.kind;
    Record record = transposed(PqCodec::to_record(weight, info.name), of_codes);
    (void)PqCodec::from_record(record);  // sums of centroids may be beyond the range of float
    return record;
  }

  const ArchiveReader& archive_;
  const std::map<std::string, NewValues>& values_;
  const ReadOptions& reading_;
  std::map<std::string, std::unique_ptr<ArchiveReader>> opened_;
};

}  // namespace

std::uint64_t replace_values(const std::string& archive, const std::string& output,
                             const std::map<std::string, NewValues>& values,
                             const ReplaceOptions& options) {
  std::vector<std::string> inputs = {archive_file(archive)};
  for (const auto& [name, value] : values) {
    const auto* const pq = std::get_if<PqValues>(&value);
    if (pq != nullptr && !pq->codes_from.empty()) inputs.push_back(archive_file(pq->codes_from));
  }
  require_different_files(inputs, output);
  require_archive_extension(output);
  const ArchiveReader reader(archive, options.reading);
  Replacer replacer(reader, values, options.reading);
  ArchiveWriter writer(output, {.overwrite = options.overwrite, .metadata = reader.metadata()});
  for (std::size_t i = 0; i < reader.entries().size(); ++i) {
    const Stored stored = replacer.content(i);
    if (stored.record.codec == "plain") {
      writer.add_plain(stored.record.info, stored.plain);
    } else {
      writer.add(stored.record);
    }
  }
  return writer.commit();
}

}  // namespace pqw
