// Recognising, verifying and reading archives.
#include <algorithm>
#include <cassert>
#include <filesystem>
#include <map>
#include <system_error>

#include "archive/backend.h"
#include "archive/digest.h"
#include "archive/layout.h"
#include "archive/user_block.h"
#include "core/subject.h"
#include "pqw/archive/archive.h"

namespace pqw {

InputFile archive::open_checked(const std::string& path) {
  // HDF5's signature, then the version of its superblock. Only version 3 has checksums in all of
  // its metadata and a mark on files that were not closed.
  constexpr std::string_view kSuperblock = "\x89HDF\r\n\x1a\n\x03";
  InputFile file(archive_file(path));
  (void)archive::read_block(file);
  const auto start = file.read_start(kUserBlockBytes + kSuperblock.size());
  if (!std::ranges::equal(std::span(start).subspan(kUserBlockBytes),
                          std::as_bytes(std::span(kSuperblock)))) {
    throw Subject{path, ErrorCode::kCorrupt}.error("no HDF5 superblock of version 3 at byte 512");
  }
  return file;
}

std::string archive_file(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored)) return path;
  return path + (path.ends_with('/') ? "" : "/") + kArchiveInFolder;
}

bool is_archive(const std::string& path) {
  const std::string file = archive_file(path);
  std::error_code ignored;
  if (file != path && !std::filesystem::exists(file, ignored)) return false;
  return archive::has_magic(InputFile(file).read_start(archive::kUserBlockBytes));
}

void verify_digest(const std::string& path) {
  const InputFile file(archive_file(path));
  const archive::UserBlock block = archive::read_block(file);
  const std::string found = archive::to_hex(archive::sha256_from(file, archive::kUserBlockBytes));
  if (found == block.sha256) return;
  throw Subject{path, ErrorCode::kCorrupt}.error(
      "its bytes have the SHA-256 {}, its first block says {}", found, block.sha256);
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
