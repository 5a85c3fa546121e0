// A regular file open for reading, or a part of one, by positions.
#include "io/input_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <utility>

#include "core/subject.h"
#include "io/spool.h"

namespace pqw {
namespace {

// Before opening, which for a device may do something.
void require_regular_file(const std::string& path) {
  if (path.empty()) throw Error(ErrorCode::kNotFound, "the name of the input is empty");
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) throw Subject{path}.system_error("open");
  if (S_ISDIR(status.st_mode)) {
    throw Subject{path}.error("a folder, not a regular file; name a file in it");
  }
  if (!S_ISREG(status.st_mode)) throw Subject{path}.error("not a regular file");
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  if (path == kStandardStream) {
    descriptor_ = open_standard_input();
    is_temporary_ = true;
    note_state();
    return;
  }
  require_regular_file(path);
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor_ < 0) throw Subject{path}.system_error("open");
  note_state();
}

InputFile::InputFile(std::string path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor), is_temporary_(true) {
  note_state();
}

void InputFile::note_state() {
  struct stat status;
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Subject{path_}.error("not a regular file");
  }
  size_ = whole_size_ = static_cast<std::uint64_t>(status.st_size);
  changed_seconds_ = status.st_mtim.tv_sec;
  changed_nanoseconds_ = status.st_mtim.tv_nsec;
}

InputFile InputFile::part(std::uint64_t offset, std::uint64_t n_bytes) const {
  assert(offset <= size_ && n_bytes <= size_ - offset);
  const int copy = ::fcntl(descriptor_, F_DUPFD_CLOEXEC, 0);
  if (copy < 0) throw Subject{path_}.system_error("open once more");
  InputFile part(path_, copy);
  part.is_temporary_ = is_temporary_;
  part.begin_ = begin_ + offset;
  part.size_ = n_bytes;
  part.whole_size_ = whole_size_;
  part.changed_seconds_ = changed_seconds_;
  part.changed_nanoseconds_ = changed_nanoseconds_;
  return part;
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      is_temporary_(other.is_temporary_),
      begin_(other.begin_),
      size_(other.size_),
      whole_size_(other.whole_size_),
      changed_seconds_(other.changed_seconds_),
      changed_nanoseconds_(other.changed_nanoseconds_) {}

void InputFile::read_at(std::uint64_t offset, std::span<std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t n =
        ::pread(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(begin_ + offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw Subject{path_}.system_error("read");
    if (n == 0) {
      throw Subject{path_}.error(
          ErrorCode::kIo, "ends at byte {} of {}: it was cut while it was read", offset, size_);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
}

std::vector<std::byte> InputFile::read(std::uint64_t offset, std::size_t n_bytes) const {
  std::vector<std::byte> bytes;
  try {
    bytes.resize(n_bytes);
  } catch (const std::exception&) {  // bad_alloc, or length_error beyond any memory
    throw Subject{path_}.error(ErrorCode::kIo, "not enough memory for {} bytes", n_bytes);
  }
  read_at(offset, bytes);
  return bytes;
}

std::vector<std::byte> InputFile::read_start(std::size_t most_bytes) const {
  return read(0, static_cast<std::size_t>(std::min<std::uint64_t>(size_, most_bytes)));
}

bool InputFile::starts_with(std::string_view bytes) const {
  return std::ranges::equal(read_start(bytes.size()), std::as_bytes(std::span(bytes)));
}

void InputFile::require_unchanged() const {
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) throw Subject{path_}.system_error("look at");
  const bool same = static_cast<std::uint64_t>(status.st_size) == whole_size_ &&
                    status.st_mtim.tv_sec == changed_seconds_ &&
                    status.st_mtim.tv_nsec == changed_nanoseconds_;
  if (!same) throw Subject{path_}.error(ErrorCode::kIo, "was changed while it was read");
}

}  // namespace pqw
