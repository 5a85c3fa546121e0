// Archives and weight files read alike.
#include "pqw/pipeline/source.h"

#include <algorithm>

#include "formats/detect.h"
#include "pqw/core/convert.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// An archive seen as a file of decoded tensors.
class DecodedArchive : public WeightReader {
 public:
  DecodedArchive(const std::string& path, const ReadOptions& options) : archive_(path, options) {
    for (const ArchiveEntry& entry : archive_.entries()) tensors_.push_back(entry.info);
  }

  const std::vector<TensorInfo>& tensors() const override { return tensors_; }
  const Metadata& metadata() const override { return archive_.metadata(); }
  const std::vector<std::string>& skipped() const override { return skipped_; }

  TensorBytes read(std::size_t index) const override {
    const TensorInfo& info = tensors_[index];
    if (archive_.entries()[index].codec == "plain") return TensorBytes(archive_.read_plain(index));
    const Weight weight = read_compressed(archive_, index);
    std::vector<std::byte> bytes(byte_count(info));
    decode_rows_to(weight, info.dtype, 0, info.shape[0], bytes);
    return TensorBytes(std::move(bytes));
  }

 private:
  ArchiveReader archive_;
  std::vector<TensorInfo> tensors_;
  std::vector<std::string> skipped_;
};

// Where a tensor is said to have its factors.
TensorizedWeight read_owner(const ArchiveReader& archive, const std::string& tensor,
                            const std::string& owner) {
  const auto& entries = archive.entries();
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const ArchiveEntry& e) { return e.info.name == owner; });
  if (entry == entries.end() || entry->codec != TensorizedWeight::kCodec) {
    throw Error(ErrorCode::kCorrupt, archive.path() + ": tensor '" + tensor +
                                         "': its factors are said to be those of '" + owner +
                                         "', which is no tensorized weight of this archive");
  }
  return tensorized_from_record(archive.read(static_cast<std::size_t>(entry - entries.begin())));
}

std::size_t index_of(const ArchiveReader& archive, const std::string& name) {
  const auto& entries = archive.entries();
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const ArchiveEntry& e) { return e.info.name == name; });
  if (entry == entries.end()) {
    throw Error(ErrorCode::kNotFound, archive.path() + ": no tensor is named '" + name + "'");
  }
  return static_cast<std::size_t>(entry - entries.begin());
}

}  // namespace

void require_archive(const std::string& path) {
  if (is_archive(path)) return;
  const InputFile file(path);
  const bool is_weights = detect_format(file) != FileFormat::kOther;
  throw Error(ErrorCode::kFormat, path + ": not a pqw archive, but " + describe_file(file) +
                                      (is_weights ? ", which can be compressed into one" : ""));
}

std::unique_ptr<WeightReader> open_decoded(const std::string& path, const ReadOptions& options) {
  if (is_archive(path)) return std::make_unique<DecodedArchive>(path, options);
  return open_weights(path, options);
}

Weight read_compressed(const ArchiveReader& archive, std::size_t index) {
  const Record record = archive.read(index);
  const auto owner = shared_with(record);
  if (!owner) return weight_from_record(record);
  return tensorized_from_record(record, read_owner(archive, record.info.name, *owner));
}

Weight load_weight(const ArchiveReader& archive, const std::string& name) {
  const std::size_t index = index_of(archive, name);
  const ArchiveEntry& entry = archive.entries()[index];
  if (entry.codec != "plain") return read_compressed(archive, index);
  return PlainWeight{entry.info.shape, entry.info.dtype, archive.read_plain(index)};
}

std::vector<float> load_floats(const ArchiveReader& archive, const std::string& name) {
  const std::size_t index = index_of(archive, name);
  const ArchiveEntry& entry = archive.entries()[index];
  if (!is_compressible(entry.info.dtype)) {
    throw Error(ErrorCode::kInvalidArgument, archive.path() + ": tensor '" + name + "': type " +
                                                 std::string(to_string(entry.info.dtype)) +
                                                 " is no float type");
  }
  std::vector<float> values(element_count(entry.info.shape));
  if (entry.codec == "plain") {
    to_float(archive.read_plain(index), entry.info.dtype, values);
  } else {
    const MatrixShape matrix = matrix_shape(entry.info.shape);
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
