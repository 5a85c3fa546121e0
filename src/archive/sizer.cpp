// The size of an archive, found by writing it to memory without its data.
#include "archive/hdf5_body.h"
#include "h5/sparse_file.h"
#include "pqw/archive/archive.h"

namespace pqw {

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
