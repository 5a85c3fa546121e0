// Opens a zip archive and reads its members.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "formats/zip_archive.h"

namespace pqw {

namespace {

// What deflate can reach: 258 bytes from 2 bits. A member that declares more is lying, and the
// memory for it is not allocated.
constexpr std::uint64_t kMaxRatio = 1032;

// A stream of its own over the open file. Null when there is no memory or no descriptor for it.
std::FILE* stream_of(const InputFile& file) {
  const int copy = ::fcntl(file.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return nullptr;
  std::FILE* stream = ::fdopen(copy, "rb");
  if (stream == nullptr) ::close(copy);
  return stream;
}

Error broken(const Subject& subject, zip_file_t& member) {
  return subject.error("the member is broken: {}; {}", zip_file_strerror(&member), kFetchAgain);
}

}  // namespace

bool is_zip(const InputFile& file) {
  return file.starts_with("PK\3\4") || file.starts_with("PK\5\6");
}

ZipPtr open_zip(const InputFile& file) {
  std::FILE* stream = stream_of(file);
  if (stream == nullptr) throw Subject{file.path()}.system_error("open once more");
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_filep_create(stream, 0, 0, &error);
  if (source == nullptr) std::fclose(stream);
  zip_t* zip = nullptr;
  if (source != nullptr) {
    zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (zip == nullptr) zip_source_free(source);
  }
  if (zip == nullptr) {
    const int code = zip_error_code_zip(&error);
    const std::string reason =
        code == ZIP_ER_EXISTS ? "two members have the same name" : zip_error_strerror(&error);
    zip_error_fini(&error);
    throw Subject{file.path()}.error(code == ZIP_ER_MEMORY ? ErrorCode::kIo : ErrorCode::kFormat,
                                     "not a readable zip archive: {}; {}", reason, kFetchAgain);
  }
  return ZipPtr(zip);
}

std::optional<std::vector<std::string>> zip_members(const InputFile& file) try {
  const ZipPtr zip = open_zip(file);
  std::vector<std::string> names;
  const auto n_members = static_cast<zip_uint64_t>(zip_get_num_entries(zip.get(), 0));
  for (zip_uint64_t i = 0; i < n_members; ++i) {
    const char* const name = zip_get_name(zip.get(), i, ZIP_FL_ENC_STRICT);
    if (name == nullptr) return std::nullopt;
    names.emplace_back(name);
  }
  return names;
} catch (const Error&) {
  return std::nullopt;
}

zip_stat_t stat_member(const Subject& subject, zip_t& zip, std::uint64_t index) {
  zip_stat_t stat;
  constexpr auto kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_CRC |
                           ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(&zip, index, ZIP_FL_ENC_STRICT, &stat) != 0 ||
      (stat.valid & kNeeded) != kNeeded) {
    throw subject.error("member {} of the zip archive is unreadable: {}", index,
                        zip_strerror(&zip));
  }
  return stat;
}

void check_member(const Subject& subject, const zip_stat_t& stat) {
  if (stat.encryption_method != ZIP_EM_NONE) {
    throw subject.error(
        ErrorCode::kUnsupported,
        "the member is encrypted; unzip the file with its password, and zip it again without one");
  }
  if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE) {
    throw subject.error(
        ErrorCode::kUnsupported,
        "zip compression method {}, known are stored (0) and deflated (8); unzip the "
        "file, and zip it again with zip -0",
        stat.comp_method);
  }
  if (stat.comp_method == ZIP_CM_STORE && stat.comp_size != stat.size) {
    throw subject.error("the member is stored in {} bytes, but declares {}; {}", stat.comp_size,
                        stat.size, kFetchAgain);
  }
  if (stat.size / kMaxRatio > stat.comp_size) {
    throw subject.error("the member declares {} bytes, {} deflated bytes cannot hold as many; {}",
                        stat.size, stat.comp_size, kFetchAgain);
  }
}

void require_disjoint_members(const InputFile& file, zip_t& zip) {
  const Subject subject{file.path()};
  const auto n_members = static_cast<std::uint64_t>(zip_get_num_entries(&zip, 0));
  std::uint64_t stored_bytes = 0;
  for (std::uint64_t i = 0; i < n_members; ++i) {
    const zip_stat_t stat = stat_member(subject, zip, i);
    if (stat.comp_size > file.size() - stored_bytes) {
      throw subject.error("the members up to '{}' claim more stored bytes than the {} of the file",
                          shown(stat.name), file.size());
    }
    stored_bytes += stat.comp_size;
  }
}

ZipFilePtr open_member(const Subject& subject, zip_t& zip, std::uint64_t index) {
  ZipFilePtr member(zip_fopen_index(&zip, index, 0));
  if (!member) throw subject.error("the member is unreadable: {}", zip_strerror(&zip));
  return member;
}

void read_member(const Subject& subject, zip_file_t& member, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const zip_int64_t n = zip_fread(&member, bytes.data(), bytes.size());
    if (n < 0) throw broken(subject, member);
    if (n == 0)
      throw subject.error("the member holds fewer bytes than it declares; {}", kFetchAgain);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

void finish_member(const Subject& subject, zip_file_t& member) {
  std::array<std::byte, 1> beyond;  // at the end libzip compares the checksum
  const zip_int64_t n = zip_fread(&member, beyond.data(), beyond.size());
  if (n < 0) throw broken(subject, member);
  if (n > 0) throw subject.error("the member holds more bytes than it declares; {}", kFetchAgain);
}

void unpack_member(const Subject& subject, zip_t& zip, const ZipPlace& place,
                   const std::function<void(std::span<const std::byte>)>& take) {
  constexpr std::uint64_t kPiece = 1 << 20;
  const ZipFilePtr member = open_member(subject, zip, place.index);
  std::vector<std::byte> piece;
  for (std::uint64_t done = 0; done < place.n_bytes; done += piece.size()) {
    piece.resize(std::min(kPiece, place.n_bytes - done));
    read_member(subject, *member, piece);
    take(piece);
  }
  finish_member(subject, *member);
}

}  // namespace pqw
