// Reading archives.
#include <algorithm>
#include <cassert>
#include <map>

#include "archive/backend.h"
#include "archive/layout.h"
#include "archive/user_block.h"
#include "core/subject.h"
#include "pqw/archive/archive.h"

namespace pqw {

InputFile archive::open_checked(const std::string& path) {
  // HDF5's signature, then the version of its superblock. Only version 3 has checksums in all of
  // its metadata and a mark on files that were not closed.
  constexpr std::string_view kSuperblock = "\x89HDF\r\n\x1a\n\x03";
  const Subject subject{path, ErrorCode::kCorrupt};
  InputFile file(path);
  const auto start = file.read_start(kUserBlockBytes + kSuperblock.size());
  const UserBlock block = parse(start, path);
  if (block.file_bytes != file.size()) {
    throw subject.error("{} bytes long, its first block says {}", file.size(), block.file_bytes);
  }
  const auto superblock = std::span(start).subspan(kUserBlockBytes);
  const bool same = superblock.size() == kSuperblock.size() &&
                    std::equal(kSuperblock.begin(), kSuperblock.end(), superblock.begin(),
                               [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  if (!same) throw subject.error("no HDF5 superblock of version 3 at byte 512");
  return file;
}

struct ArchiveReader::Impl {
  Impl(InputFile file, const ReadOptions& options)
      : path(file.path()),
        file_bytes(file.size()),
        backend(options.trusted ? archive::open_direct(std::move(file))
                                : archive::open_isolated(std::move(file))) {
    const std::vector<ArchiveEntry>& entries = backend->entries();
    for (std::size_t i = 0; i < entries.size(); ++i) indices.emplace(entries[i].info.name, i);
  }

  std::string path;
  std::uint64_t file_bytes;
  std::unique_ptr<archive::Backend> backend;
  std::map<std::string_view, std::size_t> indices;  // by name
};

ArchiveReader::ArchiveReader(const std::string& path, const ReadOptions& options)
    : impl_(std::make_unique<Impl>(archive::open_checked(path), options)) {}
ArchiveReader::~ArchiveReader() = default;
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;

const std::string& ArchiveReader::path() const { return impl_->path; }
std::uint64_t ArchiveReader::file_bytes() const { return impl_->file_bytes; }
const std::vector<ArchiveEntry>& ArchiveReader::entries() const {
  return impl_->backend->entries();
}
const std::map<std::string, std::string>& ArchiveReader::metadata() const {
  return impl_->backend->metadata();
}

std::optional<std::size_t> ArchiveReader::find(std::string_view name) const {
  const auto found = impl_->indices.find(name);
  if (found == impl_->indices.end()) return std::nullopt;
  return found->second;
}

Record ArchiveReader::read(std::size_t index) const {
  assert(entries().at(index).codec != archive::kPlainCodec);
  return impl_->backend->read(index);
}

std::vector<std::byte> ArchiveReader::read_plain(std::size_t index) const {
  assert(entries().at(index).codec == archive::kPlainCodec);
  return impl_->backend->read_plain(index);
}

}  // namespace pqw
