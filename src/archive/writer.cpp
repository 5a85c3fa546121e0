// Writing archives, and finding their size without writing them.
#include <cassert>

#include "archive/container.h"
#include "archive/content.h"
#include "archive/digest.h"
#include "archive/index.h"
#include "archive/user_block.h"
#include "io/input_file.h"
#include "pqw/archive/archive.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

// Data is written as it comes, to the place that it has in the container, which is made at last.
struct ArchiveWriter::Impl {
  Impl(const std::string& path, const ArchiveWriterOptions& options)
      : subject{path, ErrorCode::kIo},
        index(options.metadata, subject),
        file(path, {.overwrite = options.overwrite}),
        data(archive::make_container(1, "{}", subject).data.begin) {}

  // The next array.
  void write(const Section& array, std::span<const std::byte> bytes, const Subject& of_array) {
    const std::size_t expected = byte_count({"", array.dtype, array.shape});
    if (bytes.size() != expected) {
      throw of_array.error(ErrorCode::kInvalidArgument, "{} bytes given, shape {} of {} needs {}",
                           bytes.size(), to_string(array.shape), to_string(array.dtype), expected);
    }
    write(bytes);
  }

  void write(std::span<const std::byte> bytes) {
    file.write_at(data + n_written, bytes);
    digests.update(bytes);
    n_written += bytes.size();
  }

  void write(const Record& record, const Subject& of_record) {
    for (const Section* section : archive::sorted_sections(record)) {
      write(*section, section->bytes, of_record.in("section", section->name));
    }
    for (const Record* part : archive::sorted_parts(record)) {
      write(*part, of_record.in("section", part->info.name));
    }
  }

  // Copies a part of the container, which is in memory.
  void copy(const h5::SparseFile& from, std::uint64_t begin, std::uint64_t end) {
    std::vector<std::byte> bytes(end - begin);
    from.read(begin, bytes);
    file.write_at(begin, bytes);
  }

  void write_container() {
    write(std::as_bytes(std::span(index.outcomes())));
    const std::string text = index.text();
    const archive::Container container = archive::make_container(n_written, text, subject);
    assert(n_written == 0 || container.data.begin == data);
    const std::uint64_t end = n_written == 0 ? data : data + n_written;
    copy(container.file, 0, data);
    copy(container.file, end, container.file.size());
    std::vector<archive::Digest> manifest = digests.finish();
    manifest.insert(manifest.begin(), archive::sha256(std::as_bytes(std::span(text))));
    file.write_at(container.manifest.begin, std::as_bytes(std::span(manifest)));
  }

  Subject subject;
  archive::IndexWriter index;
  AtomicFile file;
  std::uint64_t data;  // where /data begins in the file
  std::uint64_t n_written = 0;
  archive::ChunkDigests digests;
};

ArchiveWriter::ArchiveWriter(const std::string& path, const ArchiveWriterOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}
ArchiveWriter::~ArchiveWriter() = default;
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;

void ArchiveWriter::add(const Record& record) {
  impl_->index.add(record);
  impl_->write(record, impl_->subject.in("tensor", record.info.name));
}

void ArchiveWriter::add_plain(const TensorInfo& info, std::span<const std::byte> bytes) {
  impl_->index.add_plain(info);
  impl_->write({"", info.dtype, info.shape, {}}, bytes, impl_->subject.in("tensor", info.name));
}

std::uint64_t ArchiveWriter::commit() {
  impl_->write_container();
  archive::UserBlock block{.version = archive::kVersion, .file_bytes = 0, .sha256 = ""};
  {
    const InputFile written(impl_->file.temporary_path());
    block.file_bytes = written.size();
    block.sha256 = archive::to_hex(archive::sha256_from(written, archive::kUserBlockBytes));
  }
  impl_->file.write_at(0, archive::render(block));
  impl_->file.commit();
  return block.file_bytes;
}

struct ArchiveSizer::Impl {
  Subject subject;
  archive::IndexWriter index;
};

ArchiveSizer::ArchiveSizer(const ArchiveWriterOptions& options, const std::string& name)
    : impl_(std::make_unique<Impl>(
          Impl{{name, ErrorCode::kIo}, {options.metadata, {name, ErrorCode::kIo}}})) {}
ArchiveSizer::~ArchiveSizer() = default;

void ArchiveSizer::add(const Record& record) { impl_->index.add(record); }

void ArchiveSizer::add_plain(const TensorInfo& info) { impl_->index.add_plain(info); }

std::uint64_t ArchiveSizer::finish() {
  return archive::make_container(impl_->index.data_bytes(), impl_->index.text(), impl_->subject)
      .file.size();
}

}  // namespace pqw
