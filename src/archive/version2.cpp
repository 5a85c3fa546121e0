// The content of an archive of version 2: all tensors in one HDF5 dataset, and an index.
#include "archive/chunks.h"
#include "archive/container.h"
#include "archive/content.h"
#include "archive/dataset_checks.h"
#include "archive/index.h"
#include "archive/layout.h"
#include "archive/record_checks.h"

namespace pqw::archive {
namespace {

// One of the three datasets of bytes.
struct Bytes {
  h5::Object object;
  h5::DatasetInfo info;
  std::uint64_t n_bytes = 0;
};

Bytes open_bytes(h5::Id file, const char* name, const Subject& archive) {
  const Subject subject = archive.in(name);
  const auto link = h5::find_link(file, name, subject);
  if (!link) throw subject.error("is missing");
  Bytes result{open_only_name(file, *link, subject), {}};
  if (result.object.kind != h5::ObjectKind::kDataset) throw subject.error("not a dataset");
  result.info = h5::describe(result.object.handle.id(), subject);
  const auto& type = result.info.type;
  if (!type || type->dtype != DType::kU8 || result.info.shape.size() != 1) {
    throw subject.error("not a list of U8");
  }
  result.n_bytes = result.info.shape[0];
  return result;
}

Area open_area(h5::Id file, const char* name, const InputFile& input, const Subject& archive) {
  const Bytes bytes = open_bytes(file, name, archive);
  check_raw(bytes.info, bytes.n_bytes, input.size(), archive.in(name));
  if (bytes.n_bytes > 0 && !bytes.info.offset) {
    throw archive.in(name).error("a compact layout, expected contiguous");
  }
  return {bytes.info.offset.value_or(0), bytes.n_bytes};
}

std::string read_index(h5::Id file, const InputFile& input, const Subject& archive) {
  const Bytes bytes = open_bytes(file, kIndexDataset, archive);
  const h5::DatasetInfo& info = bytes.info;
  const Subject subject = archive.in(kIndexDataset);
  if (info.layout != h5::Layout::kChunked || info.is_external || info.filters != std::vector{1}) {
    throw subject.error("expected a chunk with the filter deflate (1)");
  }
  if (info.stored_bytes > input.size() || bytes.n_bytes > max_index_bytes(info.stored_bytes) ||
      info.chunk_bytes != bytes.n_bytes) {
    throw subject.error("{} bytes stored for {} in chunks of {}", info.stored_bytes, bytes.n_bytes,
                        info.chunk_bytes);
  }
  std::string text(bytes.n_bytes, '\0');
  h5::read_dataset(bytes.object.handle.id(), std::as_writable_bytes(std::span(text)), subject);
  return text;
}

// The first digest of the manifest.
Digest index_digest(const InputFile& input, Area manifest, Area data, const Subject& archive) {
  const std::uint64_t expected = (1 + n_chunks(data.n_bytes)) * sizeof(Digest);
  if (manifest.n_bytes != expected) {
    throw archive.in(kManifestDataset)
        .error("{} bytes, {} bytes of data need {}", manifest.n_bytes, data.n_bytes, expected);
  }
  Digest digest;
  input.read_at(manifest.begin, digest);
  return digest;
}

Area after_first_digest(Area manifest) {
  return {manifest.begin + sizeof(Digest), manifest.n_bytes - sizeof(Digest)};
}

class Version2 : public Content {
 public:
  Version2(const InputFile& file, Index index, Area data, Area digests)
      : subject_{file.path(), ErrorCode::kCorrupt}, data_(file, data, digests) {
    metadata_ = std::move(index.metadata);
    tensors_ = std::move(index.tensors);
    for (const Record& tensor : tensors_) {
      place(tensor, data.n_bytes, subject_.in("tensor", tensor.info.name));
    }
    read_outcomes(data.n_bytes);
  }

  void read(std::size_t array, std::span<std::byte> bytes, const Subject& subject) const override {
    data_.read(begins_.at(array), bytes, subject);
  }

 private:
  // Arrays lie one after the other, in the order of their numbers.
  void place(const Record& record, std::uint64_t data_bytes, const Subject& subject) {
    if (record.codec == kPlainCodec) {
      return place(byte_count(record.info), data_bytes, subject);
    }
    for (const Section& section : record.sections) {
      place(byte_count({section.name, section.dtype, section.shape}), data_bytes,
            subject.in("section", section.name));
    }
    for (const Record& part : record.parts) {
      place(part, data_bytes, subject.in("section", part.info.name));
    }
  }

  void place(std::uint64_t n_bytes, std::uint64_t data_bytes, const Subject& subject) {
    if (n_bytes > data_bytes - end_) {
      throw subject.error("{} bytes at {} of the data, which has {}", n_bytes, end_, data_bytes);
    }
    begins_.push_back(end_);
    end_ += n_bytes;
  }

  // They follow the last array.
  void read_outcomes(std::uint64_t data_bytes) {
    const Subject subject = subject_.in(kDataDataset);
    std::uint64_t n = 0;
    for (const Record& tensor : tensors_) n += n_outcomes(tensor);
    if (n != data_bytes - end_) {
      throw subject.error("{} bytes, the tensors of the index need {}", data_bytes, end_ + n);
    }
    std::string outcomes(n, '\0');
    data_.read(end_, std::as_writable_bytes(std::span(outcomes)), subject);
    std::string_view rest = outcomes;
    for (Record& tensor : tensors_) {
      put_outcomes(tensor, rest);
      if (tensor.codec != kPlainCodec) {
        check_record(tensor, subject_.in("tensor", tensor.info.name));
      }
    }
  }

  Subject subject_;
  ChunkReader data_;
  std::vector<std::uint64_t> begins_;  // of each array
  std::uint64_t end_ = 0;              // of the last one
};

}  // namespace

std::unique_ptr<Content> open_version2(const InputFile& file, const h5::Handle& hdf5) {
  const Subject subject{file.path(), ErrorCode::kCorrupt};
  const Area data = open_area(hdf5.id(), kDataDataset, file, subject);
  const Area manifest = open_area(hdf5.id(), kManifestDataset, file, subject);
  const std::string index = read_index(hdf5.id(), file, subject);
  require_digest(std::as_bytes(std::span(index)), index_digest(file, manifest, data, subject),
                 subject.in(kIndexDataset));
  return std::make_unique<Version2>(file, parse_index(index, subject), data,
                                    after_first_digest(manifest));
}

}  // namespace pqw::archive
