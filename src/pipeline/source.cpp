// Archives and weight files read alike.
#include "pqw/pipeline/source.h"

#include <algorithm>

#include "core/subject.h"
#include "formats/foreign.h"
#include "formats/formats.h"
#include "pqw/codecs/alias.h"
#include "pqw/codecs/carried.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"

namespace pqw {
namespace {

// An archive seen as a file of decoded tensors.
class DecodedArchive : public WeightReader {
 public:
  DecodedArchive(const std::string& path, const ReadOptions& options) : archive_(path, options) {
    for (std::size_t i = 0; i < archive_.entries().size(); ++i) {
      tensors_.push_back(original_info(archive_, i));
    }
  }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const Metadata& metadata() const override { return archive_.metadata(); }
  const std::vector<Skipped>& skipped() const override { return skipped_; }
  std::size_t stored_as(std::size_t index) const override { return stored_index(archive_, index); }

  std::vector<std::byte> read(std::size_t index) const override {
    const std::size_t stored = stored_as(index);
    if (is_exact(archive_, stored)) return read_exact(archive_, stored);
    const TensorInfo& info = tensors_[index];
    const Weight weight = read_compressed(archive_, stored);
    std::vector<std::byte> bytes(byte_count(info));
    decode_rows_to(weight, info.dtype, 0, info.shape[0], bytes);
    return bytes;
  }

 private:
  ArchiveReader archive_;
  std::vector<TensorInfo> tensors_;
  std::vector<Skipped> skipped_;
};

Subject subject_of(const ArchiveReader& archive, const std::string& tensor) {
  return Subject{archive.path(), ErrorCode::kCorrupt}.in("tensor", tensor);
}

// Where a tensor is said to have its factors.
TensorizedWeight read_owner(const ArchiveReader& archive, const std::string& tensor,
                            const std::string& owner) {
  const auto index = archive.find(owner);
  if (!index || archive.entries()[*index].codec != TensorizedWeight::kCodec) {
    throw subject_of(archive, tensor)
        .error(
            "it is said to share the factors of '{}', which is not a tensorized weight of this "
            "archive",
            shown(owner));
  }
  return tensorized_from_record(archive.read(*index));
}

// The index that stores the values of the tensor with that name.
std::size_t index_of(const ArchiveReader& archive, const std::string& name) {
  const auto index = archive.find(name);
  if (!index) {
    throw Subject{archive.path()}.error(ErrorCode::kNotFound, "no tensor is named '{}'",
                                        shown(name));
  }
  return stored_index(archive, *index);
}

}  // namespace

void require_archive(const std::string& path) {
  if (is_archive(path)) return;
  const InputFile file(path);
  if (const Format* const format = find_format(file)) {
    throw Subject{path}.error("not a pqw archive, but {}, which can be compressed into one",
                              format->file);
  }
  const Foreign foreign = describe_foreign(file);
  throw Subject{path}.error("not a pqw archive, but {}{}{}", foreign.what,
                            foreign.next.empty() ? "" : "; ", foreign.next);
}

std::unique_ptr<WeightReader> open_decoded(const std::string& path, const ReadOptions& options) {
  if (is_archive(path)) return std::make_unique<DecodedArchive>(path, options);
  return open_weights(path, options);
}

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
  const std::string subject = "is said to equal " + quoted("tensor", name);
  if (!found) {
    throw subject_of(archive, entry.info.name).error("{}, which is missing", subject);
  }
  if (archive.entries()[*found].codec == kAliasCodec) {
    throw subject_of(archive, entry.info.name).error("{}, which is an alias itself", subject);
  }
  TensorInfo target = original_info(archive, *found);
  target.name = entry.info.name;
  if (target != original_info(archive, index)) {
    throw subject_of(archive, entry.info.name)
        .error("{}, which has another type or shape", subject);
  }
  return *found;
}

bool is_exact(const ArchiveReader& archive, std::size_t index) {
  const std::string& codec = archive.entries()[index].codec;
  return codec == "plain" || codec == kCarriedCodec;
}

std::vector<std::byte> read_exact(const ArchiveReader& archive, std::size_t index) {
  if (archive.entries()[index].codec == "plain") return archive.read_plain(index);
  const Record record = archive.read(index);
  const auto bytes = carried_bytes(record);
  return {bytes.begin(), bytes.end()};
}

Weight read_compressed(const ArchiveReader& archive, std::size_t index) {
  const Record record = archive.read(index);
  const auto owner = shared_with(record);
  if (!owner) return weight_from_record(record);
  return tensorized_from_record(record, read_owner(archive, record.info.name, *owner));
}

Weight load_weight(const ArchiveReader& archive, const std::string& name) {
  const std::size_t index = index_of(archive, name);
  if (!is_exact(archive, index)) return read_compressed(archive, index);
  const TensorInfo info = original_info(archive, index);
  if (!is_basic(info.dtype)) {
    throw subject_of(archive, name)
        .error(ErrorCode::kInvalidArgument, "type {} is not supported in computations",
               dtype_name(info));
  }
  return PlainWeight{info.shape, info.dtype, archive.read_plain(index)};
}

std::vector<float> load_floats(const ArchiveReader& archive, const std::string& name) {
  const std::size_t index = index_of(archive, name);
  const TensorInfo info = original_info(archive, index);
  if (!is_compressible(info.dtype)) {
    throw subject_of(archive, name)
        .error(ErrorCode::kInvalidArgument, "type {} is not a float type", dtype_name(info));
  }
  std::vector<float> values(element_count(info.shape));
  if (is_exact(archive, index)) {
    to_float(read_exact(archive, index), info.dtype, values);
  } else {
    const MatrixShape matrix = matrix_shape(info.shape);
    decode_rows(read_compressed(archive, index), 0, {values.data(), matrix.rows, matrix.cols});
  }
  return values;
}

void decode_rows_to(const Weight& weight, DType dtype, std::size_t first, std::size_t n_rows,
                    std::span<std::byte> bytes) {
  constexpr std::size_t kFloatsAtOnce = 1 << 20;
  const std::size_t cols = matrix_shape(shape_of(weight)).cols;
  if (cols == 0) return;
  const std::size_t rows_at_once = std::clamp<std::size_t>(kFloatsAtOnce / cols, 1, n_rows + 1);
  std::vector<float> values(std::min(rows_at_once, n_rows) * cols);
  const std::size_t row_bytes = cols * size_in_bytes(dtype);
  for (std::size_t done = 0; done < n_rows; done += rows_at_once) {
    const std::size_t n = std::min(rows_at_once, n_rows - done);
    decode_rows(weight, first + done, {values.data(), n, cols});
    from_float({values.data(), n * cols}, dtype, bytes.subspan(done * row_bytes, n * row_bytes));
  }
}

}  // namespace pqw
