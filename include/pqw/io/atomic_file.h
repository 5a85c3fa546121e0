// A file that appears under its name complete or not at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "pqw/io/options.h"

namespace pqw {

// Writes to a temporary sibling of the target, `<target>.pqw.tmp`; `commit` syncs it, renames it
// over the target and syncs the folder. Destroyed before that, it removes the temporary, and the
// target is as it was. Use `write`, or let a library write to `temporary_path()`.
// The temporary is locked while it is written: a second writer of the same target is refused, in
// this process or another. If a writer dies (kill -9, a power failure), the next writer removes its
// temporary. Readers of the target see the old file or the new one.
class AtomicFile {
 public:
  // A symbolic link to an existing file stays a link: what it points to is replaced.
  // Errors: kExists when the target exists and may not be overwritten; kBusy when another writer is
  // writing it; kIo, also for a target that is not a regular file (a folder, a device, a FIFO).
  explicit AtomicFile(std::string path, const WriteOptions& options = {});
  // A temporary file without a name; `commit` copies it to the standard output.
  static AtomicFile to_standard_output();
  ~AtomicFile();
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;

  const std::string& path() const { return path_; }
  const std::string& temporary_path() const { return temporary_path_; }

  // Appends. Errors: kIo.
  void write(std::span<const std::byte> bytes);

  // Overwrites bytes at an offset. Errors: kIo.
  void write_at(std::uint64_t offset, std::span<const std::byte> bytes);

  // The file is durable under its name when this returns. Errors: kIo; kExists when another program
  // created the target meanwhile and it may not be overwritten; then the target is as it was.
  // kUnsynced: the file is complete under its name, but the folder could not be synced.
  void commit();

 private:
  AtomicFile() = default;
  bool rename_to_target();

  std::string path_;    // as given
  std::string target_;  // without symbolic links
  std::string temporary_path_;
  int fd_ = -1;
  WriteOptions options_;
  int slot_ = -1;
};

// Removes the temporaries of all AtomicFiles of this process that are neither committed nor
// destroyed, and returns how many. In a forked child it removes none. Async-signal-safe: call it in
// the handler of a signal that ends the process. It waits at most a second for other threads that
// are making or renaming a temporary.
int remove_temporaries_in_signal_handler() noexcept;

}  // namespace pqw
