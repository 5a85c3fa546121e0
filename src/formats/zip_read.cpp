// Opens a zip archive.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

#include "core/subject.h"
#include "formats/zip_archive.h"

namespace pqw {

namespace {

// A stream of its own over the open file. Null when there is no memory or no descriptor for it.
std::FILE* stream_of(const InputFile& file) {
  const int copy = ::fcntl(file.descriptor(), F_DUPFD_CLOEXEC, 0);
  if (copy < 0) return nullptr;
  std::FILE* stream = ::fdopen(copy, "rb");
  if (stream == nullptr) ::close(copy);
  return stream;
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
                                     "not a readable zip archive: {}", reason);
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

}  // namespace pqw
