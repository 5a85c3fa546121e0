// A regular file open for reading, or a part of one, by positions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pqw {

// Reads with system calls, not through a mapping: a file that is truncated meanwhile ends in an
// error, not in a signal. Move-only; reading is safe from several threads at once.
// Errors: kNotFound, kIo, and kFormat for anything that is not a regular file (a FIFO or a device
// is refused before it is opened, so that opening cannot block). The path "-" is the standard input
// (io/spool.h).
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  // Takes over an open file without a name; `path` is for messages.
  InputFile(std::string path, int descriptor);
  ~InputFile();
  InputFile(InputFile&& other) noexcept;
  InputFile& operator=(InputFile&&) = delete;

  const std::string& path() const { return path_; }
  bool is_temporary() const { return is_temporary_; }  // has no folder of its own
  std::uint64_t size() const { return size_; }         // when it was opened
  int descriptor() const { return descriptor_; }

  // A part of the file as a file of its own, whose offsets start at `offset`. path() and
  // descriptor() are of the whole file. REQUIRES: offset + n_bytes <= size(). Errors: kIo.
  InputFile part(std::uint64_t offset, std::uint64_t n_bytes) const;

  // Fills `bytes` from that offset. Errors: kIo, also when the file ends before.
  void read_at(std::uint64_t offset, std::span<std::byte> bytes) const;

  // As above, into new memory, which may be too little (kIo).
  std::vector<std::byte> read(std::uint64_t offset, std::size_t n_bytes) const;

  // The first bytes, fewer if the file is shorter.
  std::vector<std::byte> read_start(std::size_t most_bytes) const;

  bool starts_with(std::string_view bytes) const;

  // Throws kIo if size or time of change are no longer those at opening. Called after reading, it
  // says that what was read belongs together.
  void require_unchanged() const;

 private:
  // Notes size and time of change. Closes the file and throws unless it is regular.
  void note_state();

  std::string path_;
  int descriptor_ = -1;
  bool is_temporary_ = false;
  std::uint64_t begin_ = 0;  // of the part, in the whole file
  std::uint64_t size_ = 0;
  std::uint64_t whole_size_ = 0;
  std::int64_t changed_seconds_ = 0;
  std::int64_t changed_nanoseconds_ = 0;
};

}  // namespace pqw
