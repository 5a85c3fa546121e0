// The tensors of an archive: what is stored, what it stands for, and a file of them all.
#include "model/archive_tensors.h"

#include <algorithm>
#include <new>

#include "codecs/alias.h"
#include "codecs/carried.h"
#include "codecs/cast.h"
#include "core/permute.h"
#include "core/subject.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

Subject subject_of(const ArchiveReader& archive, const std::string& tensor) {
  return Subject{archive.path(), ErrorCode::kCorrupt}.in("tensor", tensor);
}

// The tensor that the record names as the owner of the shared factors.
TensorizedWeight read_owner(const ArchiveReader& archive, const std::string& tensor,
                            const std::string& owner) {
  const auto index = archive.find(owner);
  if (!index || archive.entries()[*index].codec != TensorizedCodec::kName) {
    throw subject_of(archive, tensor)
        .error("shares the factors of '{}', which is not a tensorized weight of this archive",
               shown(owner));
  }
  return TensorizedCodec::from_record(archive.read(*index));
}

// Runs `action`. A small archive may describe a tensor larger than memory: the error names it.
template <class Action>
auto with_memory(const ArchiveReader& archive, std::size_t index, const Action& action) try {
  return action();
} catch (const std::bad_alloc&) {
  const TensorInfo& info = archive.entries()[index].info;
  throw subject_of(archive, info.name)
      .error(ErrorCode::kIo, "not enough memory: shape {} of {} has {} bytes",
             to_string(info.shape), to_string(info.dtype), byte_count(info));
}

}  // namespace

TensorInfo original_info(const ArchiveReader& archive, std::size_t index) {
  const ArchiveEntry& entry = archive.entries()[index];
  const bool has_description = entry.codec == kCarriedCodec || entry.codec == kAliasCodec;
  // A tensor with features cannot be read, so its options may mean anything.
  return has_description && entry.features.empty() ? info_from({entry.info, entry.options})
                                                   : entry.info;
}

std::size_t stored_index(const ArchiveReader& archive, std::size_t index) {
  const ArchiveEntry& entry = archive.entries()[index];
  if (entry.codec != kAliasCodec) return index;
  const std::string name = alias_target(archive.read(index));
  const auto found = archive.find(name);
  const std::string subject = "is an alias of " + quoted("tensor", name);
  if (!found) throw subject_of(archive, entry.info.name).error("{}, which is missing", subject);
  if (archive.entries()[*found].codec == kAliasCodec) {
    throw subject_of(archive, entry.info.name).error("{}, which is an alias itself", subject);
  }
  TensorInfo target = original_info(archive, *found);
  target.name = entry.info.name;
  target.layout.kind = entry.info.layout.kind;  // an embedding may be the head, too
  if (target != original_info(archive, index)) {
    throw subject_of(archive, entry.info.name)
        .error("{}, which has another type, shape or axes", subject);
  }
  return *found;
}

bool is_narrowed(const ArchiveReader& archive, std::size_t index) {
  return archive.entries()[index].codec == kCastCodec;
}

bool has_values(const ArchiveReader& archive, std::size_t index) {
  const std::string& codec = archive.entries()[index].codec;
  return codec == "plain" || codec == kCarriedCodec || codec == kCastCodec;
}

std::vector<std::byte> read_values(const ArchiveReader& archive, std::size_t index) {
  if (archive.entries()[index].codec == "plain") return archive.read_plain(index);
  const Record record = archive.read(index);
  if (record.codec == kCastCodec) return cast_bytes(record);
  const auto bytes = carried_bytes(record);
  return {bytes.begin(), bytes.end()};
}

Weight read_compressed(const ArchiveReader& archive, std::size_t index) {
  return with_memory(archive, index, [&]() -> Weight {
    const Record record = archive.read(index);
    const auto owner = shared_with(record);
    if (!owner) return weight_from_record(record);
    return tensorized_from_record(record, read_owner(archive, record.info.name, *owner));
  });
}

std::vector<std::byte> decoded_bytes(const Weight& weight, const TensorInfo& info) {
  constexpr std::size_t kFloatsAtOnce = 1 << 20;
  std::vector<std::byte> bytes(byte_count(info));
  const auto [n_rows, cols] = head_of(weight).matrix();
  if (cols == 0) return bytes;
  const std::size_t rows_at_once = std::clamp<std::size_t>(kFloatsAtOnce / cols, 1, n_rows + 1);
  std::vector<float> values(std::min(rows_at_once, n_rows) * cols);
  const std::size_t row_bytes = cols * size_in_bytes(info.dtype);
  for (std::size_t done = 0; done < n_rows; done += rows_at_once) {
    const std::size_t n = std::min(rows_at_once, n_rows - done);
    decode_rows(weight, done, {values.data(), n, cols});
    from_float({values.data(), n * cols}, info.dtype,
               std::span(bytes).subspan(done * row_bytes, n * row_bytes));
  }
  return from_canonical(info, std::move(bytes));
}

DecodedArchive::DecodedArchive(const std::string& path, const ReadOptions& options)
    : archive_(path, options) {
  metadata_ = archive_.metadata();
  files_ = {archive_.path()};
  file_bytes_ = archive_.file_bytes();
  for (std::size_t i = 0; i < archive_.entries().size(); ++i) {
    tensors_.push_back(original_info(archive_, i));
  }
}

std::size_t DecodedArchive::stored_as(std::size_t index) const {
  return stored_index(archive_, index);
}

std::vector<std::byte> DecodedArchive::read(std::size_t index) const {
  const std::size_t stored = stored_as(index);
  if (has_values(archive_, stored)) return read_values(archive_, stored);
  const Weight weight = read_compressed(archive_, stored);
  return with_memory(archive_, stored, [&] { return decoded_bytes(weight, tensors_[index]); });
}

std::unique_ptr<WeightReader> open_decoded(const std::string& path, const ReadOptions& options) {
  if (is_archive(path)) return std::make_unique<DecodedArchive>(path, options);
  return open_weights(path, options);
}

}  // namespace pqw
