// The tensors of an archive: what is stored, what it stands for, and a file of them all.
#include "model/archive_tensors.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

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

// Calls use(first row, number of rows, their floats) for one part of the decoded weight after the
// other.
template <class Use>
void decode_in_parts(const Weight& weight, const Use& use) {
  constexpr std::size_t kFloatsAtOnce = 1 << 20;
  const auto [n_rows, cols] = head_of(weight).matrix();
  if (cols == 0) return;
  const std::size_t rows_at_once = std::clamp<std::size_t>(kFloatsAtOnce / cols, 1, n_rows + 1);
  std::vector<float> values(std::min(rows_at_once, n_rows) * cols);
  for (std::size_t done = 0; done < n_rows; done += rows_at_once) {
    const std::size_t n = std::min(rows_at_once, n_rows - done);
    decode_rows(weight, done, {values.data(), n, cols});
    use(done, n, std::span<const float>(values.data(), n * cols));
  }
}

using Strides = std::vector<std::ptrdiff_t>;

Strides row_major_strides(const Shape& shape, std::size_t element_bytes) {
  Strides strides(shape.size());
  auto stride = static_cast<std::ptrdiff_t>(element_bytes);
  for (std::size_t i = shape.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= static_cast<std::ptrdiff_t>(shape[i]);
  }
  return strides;
}

// The strides of the dimensions of the canonical tensor.
Strides canonical_strides(const TensorInfo& info, const StridedBuffer& to) {
  Strides in_file(to.strides.begin(), to.strides.end());
  if (in_file.empty()) in_file = row_major_strides(info.shape, size_in_bytes(to.dtype));
  const std::vector<std::size_t>& axes = info.layout.axes;
  if (axes.empty()) return in_file;
  Strides strides(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) strides[i] = in_file[axes[i]];
  return strides;
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
  std::vector<std::byte> bytes(byte_count(info));
  const std::size_t row_bytes = head_of(weight).matrix().cols * size_in_bytes(info.dtype);
  decode_in_parts(weight, [&](std::size_t first, std::size_t n, std::span<const float> values) {
    from_float(values, info.dtype, std::span(bytes).subspan(first * row_bytes, n * row_bytes));
  });
  return from_canonical(info, std::move(bytes));
}

void decode_to_strided(const Weight& weight, const TensorInfo& info, const StridedBuffer& to) {
  Shape shape = canonical(info).shape;
  const Strides packed = row_major_strides(shape, size_in_bytes(to.dtype));
  const Strides strides = canonical_strides(info, to);
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(to.data) % alignof(float) == 0;
  if (to.dtype == DType::kF32 && strides == packed && is_aligned) {
    const auto [rows, cols] = head_of(weight).matrix();
    return decode_rows(weight, 0, {reinterpret_cast<float*>(to.data), rows, cols});
  }
  decode_in_parts(weight, [&](std::size_t first, std::size_t n, std::span<const float> values) {
    shape[0] = n;
    std::byte* const part = to.data + static_cast<std::ptrdiff_t>(first) * strides[0];
    copy_to_strided(std::as_bytes(values), DType::kF32, shape, {part, to.dtype, strides});
  });
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
