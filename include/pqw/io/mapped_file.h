// A regular file mapped read-only into memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace pqw {

// The bytes stay valid for the life of the object. Move-only.
// Errors: kNotFound, kIo, and kFormat for anything that is not a regular file (a FIFO or a device
// is refused before it is opened, so that opening cannot block).
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;

  const std::string& path() const { return path_; }
  std::span<const std::byte> bytes() const { return {data_, size_}; }

  // Tells the system that these bytes are not needed for now, so that reading a large file does
  // not grow the resident set. They stay readable. REQUIRES: `part` lies in bytes().
  void release(std::span<const std::byte> part) const;

 private:
  std::string path_;
  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

// Throws unless `path` names an existing regular file (kNotFound, kFormat).
void require_regular_file(const std::string& path);

}  // namespace pqw
