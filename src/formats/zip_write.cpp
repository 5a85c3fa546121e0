// Writes a zip archive through an AtomicFile.

#include <array>
#include <utility>

#include "core/subject.h"
#include "formats/zip_archive.h"

namespace pqw {
namespace {

// An archive without members, which libzip does not write: the end of central directory record.
constexpr std::array<char, 22> kEmptyZip{'P', 'K', 5, 6};

constexpr zip_uint16_t kDosDate = (0 << 9) | (1 << 5) | 1;  // 1980-01-01
constexpr zip_uint16_t kDosTime = 0;
constexpr zip_uint32_t kUnixAttributes = 0100644u << 16;

[[noreturn]] void fail(const std::string& path, const zip_error_t* error) {
  zip_error_t copy = *error;  // strerror keeps its text in the error
  copy.str = nullptr;
  const std::string reason = zip_error_strerror(&copy);
  zip_error_fini(&copy);
  throw Subject{path}.error(ErrorCode::kIo, "cannot write the zip archive: {}", reason);
}

}  // namespace

ZipWriter::ZipWriter(AtomicFile& target, std::string content)
    : sink_{target}, content_(std::move(content)) {
  zip_error_init(&sink_.error);
  zip_error_t error;
  zip_error_init(&error);
  const auto callback = [](void* sink, void* data, zip_uint64_t length, zip_source_cmd_t command) {
    return static_cast<Sink*>(sink)->command(data, length, command);
  };
  zip_source_t* source = zip_source_function_create(callback, &sink_, &error);
  if (source == nullptr) fail(target.path(), &error);
  zip_.reset(zip_open_from_source(source, ZIP_CREATE | ZIP_TRUNCATE, &error));
  if (!zip_) {
    zip_source_free(source);
    fail(target.path(), &error);
  }
}

void ZipWriter::add(const std::string& name, std::uint64_t offset, std::uint64_t n_bytes) {
  zip_t* const zip = zip_.get();
  const std::string& path = sink_.target.path();
  zip_source_t* source =
      n_bytes == 0  // for zip_source_file, 0 means: up to the end of the file
          ? zip_source_buffer(zip, nullptr, 0, 0)
          : zip_source_file(zip, content_.c_str(), offset, static_cast<zip_int64_t>(n_bytes));
  if (source == nullptr) fail(path, zip_get_error(zip));
  const zip_int64_t added = zip_file_add(zip, name.c_str(), source, ZIP_FL_ENC_UTF_8);
  if (added < 0) {
    zip_source_free(source);
    throw Subject{path}.error(ErrorCode::kUnsupported, "member '{}': {}", shown(name),
                              zip_strerror(zip));
  }
  const auto index = static_cast<zip_uint64_t>(added);
  if (zip_set_file_compression(zip, index, ZIP_CM_STORE, 0) != 0 ||
      zip_file_set_dostime(zip, index, kDosTime, kDosDate, 0) != 0 ||
      zip_file_set_external_attributes(zip, index, 0, ZIP_OPSYS_UNIX, kUnixAttributes) != 0) {
    fail(path, zip_get_error(zip));
  }
  ++n_members_;
}

void ZipWriter::write() {
  if (n_members_ == 0) {
    sink_.target.write(std::as_bytes(std::span(kEmptyZip)));
    return;
  }
  if (zip_close(zip_.get()) != 0) {
    if (sink_.failure) std::rethrow_exception(sink_.failure);
    fail(sink_.target.path(), zip_get_error(zip_.get()));
  }
  (void)zip_.release();  // zip_close freed it
}

zip_int64_t ZipWriter::Sink::write(std::span<const std::byte> bytes) {
  try {
    target.write_at(position, bytes);
  } catch (...) {  // must not pass through libzip
    failure = std::current_exception();
    zip_error_set(&error, ZIP_ER_WRITE, 0);
    return -1;
  }
  position += bytes.size();
  size = std::max(size, position);
  return static_cast<zip_int64_t>(bytes.size());
}

// To libzip the target is an empty archive that is written from its beginning.
zip_int64_t ZipWriter::Sink::command(void* data, zip_uint64_t length, zip_source_cmd_t command) {
  switch (command) {
    case ZIP_SOURCE_SUPPORTS:
      return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_STAT: {
      zip_stat_t* const stat = ZIP_SOURCE_GET_ARGS(zip_stat_t, data, length, &error);
      if (stat == nullptr) return -1;
      zip_stat_init(stat);
      stat->size = 0;
      stat->valid = ZIP_STAT_SIZE;
      return sizeof(zip_stat_t);
    }
    case ZIP_SOURCE_WRITE:
      return write({static_cast<const std::byte*>(data), length});
    case ZIP_SOURCE_SEEK_WRITE: {
      const zip_int64_t offset =
          zip_source_seek_compute_offset(position, size, data, length, &error);
      if (offset < 0) return -1;
      position = static_cast<std::uint64_t>(offset);
      return 0;
    }
    case ZIP_SOURCE_TELL_WRITE:
      return static_cast<zip_int64_t>(position);
    case ZIP_SOURCE_ERROR:
      return zip_error_to_data(&error, data, length);
    case ZIP_SOURCE_OPEN:
    case ZIP_SOURCE_READ:
    case ZIP_SOURCE_CLOSE:
    case ZIP_SOURCE_SEEK:
    case ZIP_SOURCE_TELL:
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_REMOVE:
    case ZIP_SOURCE_FREE:
      return 0;
    default:
      zip_error_set(&error, ZIP_ER_OPNOTSUPP, 0);
      return -1;
  }
}

}  // namespace pqw
