// A regular file mapped read-only into memory.
#include "pqw/io/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cassert>
#include <cstdint>
#include <utility>

#include "io/system_error.h"

namespace pqw {

void require_regular_file(const std::string& path) {
  struct stat status;
  if (::stat(path.c_str(), &status) != 0) throw system_error(path, "open");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::kFormat, path + ": not a regular file");
}

MappedFile::MappedFile(const std::string& path) : path_(path) {
  require_regular_file(path);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) throw system_error(path, "open");
  struct stat status;
  const bool ok = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
  size_ = ok ? static_cast<std::size_t>(status.st_size) : 0;
  void* data = nullptr;
  if (size_ > 0) data = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
  ::close(fd);
  if (!ok) throw Error(ErrorCode::kIo, path + ": not a regular file");
  if (data == MAP_FAILED) throw system_error(path, "map");
  data_ = static_cast<const std::byte*>(data);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

void MappedFile::release(std::span<const std::byte> part) const {
  if (part.empty()) return;
  assert(part.data() >= data_ && part.data() + part.size() <= data_ + size_);
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto first = reinterpret_cast<std::uintptr_t>(part.data()) / page * page;
  const auto last = reinterpret_cast<std::uintptr_t>(part.data() + part.size());
  // A hint: failure changes nothing but the resident set.
  (void)::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace pqw
