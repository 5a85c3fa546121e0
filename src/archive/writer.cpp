// Writing archives, and finding their size by writing them to memory without their data.
#include "archive/digest.h"
#include "archive/hdf5_body.h"
#include "archive/user_block.h"
#include "h5/sparse_file.h"
#include "io/input_file.h"
#include "pqw/archive/archive.h"
#include "pqw/io/atomic_file.h"

namespace pqw {

struct ArchiveWriter::Impl {
  Impl(const std::string& path, const ArchiveWriterOptions& options)
      : file(path, {.overwrite = options.overwrite}), body(file.temporary_path(), path, options) {}

  AtomicFile file;  // outlives the body, which writes to it
  archive::Hdf5Body body;
};

ArchiveWriter::ArchiveWriter(const std::string& path, const ArchiveWriterOptions& options)
    : impl_(std::make_unique<Impl>(path, options)) {}
ArchiveWriter::~ArchiveWriter() = default;
ArchiveWriter::ArchiveWriter(ArchiveWriter&&) noexcept = default;

void ArchiveWriter::add(const Record& record) { impl_->body.add(record); }

void ArchiveWriter::add_plain(const TensorInfo& info, std::span<const std::byte> bytes) {
  impl_->body.add_plain(info, bytes);
}

std::uint64_t ArchiveWriter::commit() {
  impl_->body.close();
  archive::UserBlock block;
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
  Impl(const std::string& name, const ArchiveWriterOptions& options) : body(file, name, options) {}

  h5::SparseFile file;  // outlives the body, which writes to it
  archive::Hdf5Body body;
};

ArchiveSizer::ArchiveSizer(const ArchiveWriterOptions& options, const std::string& name)
    : impl_(std::make_unique<Impl>(name, options)) {}
ArchiveSizer::~ArchiveSizer() = default;

void ArchiveSizer::add(const Record& record) { impl_->body.add(record); }

void ArchiveSizer::add_plain(const TensorInfo& info) { impl_->body.add_plain(info, {}); }

std::uint64_t ArchiveSizer::finish() {
  impl_->body.close();
  return impl_->file.size();
}

}  // namespace pqw
