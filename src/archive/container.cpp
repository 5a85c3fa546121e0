// The HDF5 file of an archive of version 2 without the bytes of its tensors.
#include "archive/container.h"

#include "h5/attribute.h"
#include "h5/dataset.h"
#include "h5/file.h"
#include "h5/group.h"

namespace pqw::archive {
namespace {

// A dataset of bytes at the end of the file.
h5::Handle create_bytes(const h5::Handle& file, const char* name, std::size_t n_bytes,
                        h5::Storage storage, const Subject& subject) {
  return h5::create_dataset(file.id(), name, DType::kU8, {&n_bytes, 1}, storage, subject);
}

Area allocate(const h5::Handle& file, const char* name, std::uint64_t n_bytes,
              const Subject& subject) {
  h5::Handle dataset = create_bytes(file, name, n_bytes, h5::Storage::kPacked, subject);
  const auto offset = h5::describe(dataset.id(), subject).offset;
  dataset.close(subject);
  return {offset.value_or(0), n_bytes};
}

void write_index(const h5::Handle& file, const std::string& index, const Subject& subject) {
  h5::Handle dataset =
      create_bytes(file, kIndexDataset, index.size(), h5::Storage::kDeflated, subject);
  h5::write_dataset(dataset.id(), std::as_bytes(std::span(index)), subject);
  dataset.close(subject);
  const auto link = h5::find_link(file.id(), kIndexDataset, subject);
  const h5::Object stored = h5::open_object(file.id(), link.value().address, subject);
  const std::uint64_t stored_bytes = h5::describe(stored.handle.id(), subject).stored_bytes;
  if (index.size() <= max_index_bytes(stored_bytes)) return;
  throw subject.error(ErrorCode::kInvalidArgument,
                      "names and metadata of {} bytes repeat themselves so much that they take {}",
                      index.size(), stored_bytes);
}

}  // namespace

Container make_container(std::uint64_t data_bytes, const std::string& index,
                         const Subject& subject) {
  const auto lock = h5::exclusive();
  Container container;
  h5::Handle file = h5::create_file(container.file, h5::FileKind::kArchive, subject);
  {
    const h5::Object root = h5::open_root(file.id(), subject);
    h5::write_text(root.handle.id(), kFormatAttribute, kFormat, subject);
    h5::write_number(root.handle.id(), kVersionAttribute, kVersion, subject);
  }
  container.data = allocate(file, kDataDataset, data_bytes, subject);
  write_index(file, index, subject);
  const std::uint64_t n_digests = 1 + n_chunks(data_bytes);
  container.manifest = allocate(file, kManifestDataset, n_digests * sizeof(Digest), subject);
  file.close(subject);
  return container;
}

}  // namespace pqw::archive
