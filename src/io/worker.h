// A child process that reads a file which may be hostile, and answers with plain bytes.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "pqw/io/input_file.h"

namespace pqw {

// Forks, so that a crash, an endless loop or a take-over of the code that parses the file stays in
// a process that can do nothing but answer (io/sandbox.h) and has limits on memory and on time. The
// child is a copy of this process at that moment: it must not count on other threads (OpenMP) and
// ends with this object. Safe for use from several threads at once, which wait for each other.
class Worker {
 public:
  // Runs in the child, for one request after the other. Its errors arrive at the caller of `call`.
  using Service = std::function<std::vector<std::byte>(std::uint64_t request)>;

  // Errors: kIo when no process can be started.
  Worker(const InputFile& file, Service service);
  ~Worker();
  Worker(Worker&&) = delete;

  // The answer to a request, of at most that many bytes. The child may use about six times as much
  // memory beside what it has anyway, and time in proportion.
  // Errors: those of the service; kFormat when the child crashes, takes too long, or answers with
  // nonsense, after which every call fails.
  std::vector<std::byte> call(std::uint64_t request, std::size_t most_bytes);

 private:
  void allow(std::size_t n_bytes);
  std::vector<std::byte> receive(std::size_t most_bytes);
  bool receive_into(std::span<std::byte> bytes);
  [[noreturn]] void fail(const std::string& what);
  [[noreturn]] void fail_as_child_ended();
  void end() noexcept;

  std::string path_;
  std::mutex mutex_;
  pid_t child_ = -1;
  int socket_ = -1;
  std::uint64_t memory_at_start_ = 0;
};

}  // namespace pqw
