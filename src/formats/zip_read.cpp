// Opens a zip archive in memory.
#include <fmt/format.h>

#include "formats/where.h"
#include "formats/zip_archive.h"

namespace pqw {

ZipPtr open_zip(const std::string& path, std::span<const std::byte> bytes) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
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
    InFile{path}.fail(code == ZIP_ER_MEMORY ? ErrorCode::kIo : ErrorCode::kFormat,
                      fmt::format("no readable zip archive: {}", reason));
  }
  return ZipPtr(zip);
}

}  // namespace pqw
