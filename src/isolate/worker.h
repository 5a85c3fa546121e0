// A child process that reads a file which may be hostile, and answers with plain bytes.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "core/subject.h"
#include "io/input_file.h"

namespace pqw {

struct WorkerAnswer;

// Forks, so that a crash, an endless loop or a take-over of the parsing code stays in a process
// that can only answer (isolate/sandbox.h) and has limits on memory and time. The child is a copy
// of this process at that moment: it must not use other threads (OpenMP). It ends with this object.
// Safe for use from several threads at once, which wait for each other. If this process forks, its
// copy of this object begins a child of its own at the first call.
class Worker {
 public:
  // Runs in the child, for one request after the other. Its errors arrive at the caller of `call`.
  using Service = std::function<std::vector<std::byte>(std::uint64_t request)>;

  // `file` outlives this object. Errors: kIo when the system does not allow such a process, or when
  // descriptors, processes or memory are missing; the message says which call failed or what is
  // missing.
  Worker(const InputFile& file, Service service);
  ~Worker();
  Worker(Worker&&) = delete;

  // The answer to a request, at most `most_bytes` bytes. The child may use about six times as much
  // additional memory, and time in proportion.
  // Errors: those of the service; kFormat when the child crashes, takes too long or gives a
  // malformed answer; kIo when something other than the file ends the child (a foreign signal, the
  // limits of this process). After kFormat and kIo every further call fails.
  std::vector<std::byte> call(std::uint64_t request, std::size_t most_bytes);

 private:
  // Which limits of this process are lower than a file may need.
  struct Shortage {
    bool memory = false;
    bool time = false;
  };

  void start();
  void start_in_new_process();
  void allow(std::size_t n_bytes);
  bool limit(int resource, std::uint64_t value);
  void wait_at_most(std::uint64_t seconds);
  std::vector<std::byte> receive(std::size_t most_bytes);
  std::vector<std::byte> receive_bytes(std::size_t n_bytes);
  bool receive_into(std::span<std::byte> bytes);
  Error error_of_child(const WorkerAnswer& answer, const std::string& text) const;
  Error cannot_start(const char* call, int error) const;
  Error not_allowed(const std::string& what) const;
  [[noreturn]] void fail(ErrorCode code, const std::string& what);
  [[noreturn]] void fail_as_child_ended();
  void end() noexcept;

  const InputFile& file_;
  const Service service_;
  Subject subject_;
  std::mutex mutex_;
  std::atomic<pid_t> owner_;  // the process that started the child
  pid_t child_ = -1;
  int socket_ = -1;
  bool has_started_ = false;
  std::uint64_t memory_at_start_ = 0;
  Shortage shortage_;
};

}  // namespace pqw
