// A file that appears under its name complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace pqw {

// Reserves a temporary sibling (`<path>.<random>.tmp`) of the target; `commit` syncs it, renames it
// over the target and syncs the folder. Destroyed before that, it removes the temporary, and the
// target is as it was. Use `write`, or let a library write to `temporary_path()`.
class AtomicFile {
 public:
  // A symbolic link to an existing file stays a link: what it points to is replaced.
  // Errors: kExists when the target is there and `overwrite` is false; kIo, also for a target that
  // is no regular file (a folder, a device, a FIFO).
  AtomicFile(std::string path, bool overwrite);
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_path_; }

  // Appends. Errors: kIo.
  void write(std::span<const std::byte> bytes);

  // Overwrites bytes at an offset. Errors: kIo.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  // The file is durable under its name when this returns. Errors: kIo; kExists when somebody made
  // the target meanwhile and `overwrite` is false.
  void commit();

 private:
  std::string path_;    // as given
  std::string target_;  // without symbolic links
  std::string temporary_path_;
  int fd_ = -1;
  bool overwrite_ = false;
  int slot_ = -1;
};

// Removes the temporaries of all AtomicFiles of this process that are neither committed nor
// destroyed. Async-signal-safe: for the handler of a signal that ends the process.
void remove_temporaries_in_signal_handler() noexcept;

}  // namespace pqw
