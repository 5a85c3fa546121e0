// A child process that reads a file which may be hostile: the side of the child.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "isolate/sandbox.h"
#include "isolate/worker_protocol.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

// Whether a page can be mapped under that limit on the address space.
bool can_map_within(rlim_t n_bytes, rlimit limit) {
  limit.rlim_cur = n_bytes;
  if (::setrlimit(RLIMIT_AS, &limit) != 0) return true;
  void* const page = ::mmap(nullptr, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page != MAP_FAILED && ::munmap(page, 1) == 0;
}

// The pages of address space of this process; 0 if /proc is not available.
std::uint64_t mapped_pages() {
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[32] = {};
  (void)!::read(file, text, sizeof(text) - 1);
  ::close(file);
  return std::strtoull(text, nullptr, 10);
}

// The address space of this process. Without /proc: the lowest limit under which it can still grow.
// Allocates nothing, as memory may be missing.
std::uint64_t mapped_bytes() {
  const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (const std::uint64_t pages = mapped_pages(); pages > 0) return pages * page;
  rlimit before{};
  (void)::getrlimit(RLIMIT_AS, &before);
  std::uint64_t too_little = 0, enough = std::min<rlim_t>(before.rlim_max, std::uint64_t{1} << 47);
  while (enough - too_little > page) {
    const std::uint64_t middle = too_little + (enough - too_little) / 2;
    (can_map_within(middle, before) ? enough : too_little) = middle;
  }
  (void)::setrlimit(RLIMIT_AS, &before);
  return enough;
}

// False at the end of the parent.
bool receive(int socket, std::uint64_t& request) {
  ssize_t n = 0;
  do {
    n = ::recv(socket, &request, sizeof(request), MSG_WAITALL);
  } while (n < 0 && errno == EINTR);
  return n == sizeof(request);
}

bool send_all(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

bool send_answer(int socket, const WorkerAnswer& answer, std::span<const std::byte> bytes) {
  return send_all(socket, std::as_bytes(std::span(&answer, 1))) && send_all(socket, bytes);
}

bool send_error(int socket, ErrorCode code, std::string_view text) {
  text = text.substr(0, kMaxMessageBytes);
  return send_answer(socket, {text.size(), kError, static_cast<std::uint32_t>(code)},
                     std::as_bytes(std::span(text)));
}

bool serve(int socket, std::uint64_t request, const Worker::Service& service) {
  try {
    const std::vector<std::byte> bytes = service(request);
    return send_answer(socket, {bytes.size(), kAnswer, 0}, bytes);
  } catch (const Error& error) {
    return send_error(socket, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return send_answer(socket, {0, kNoMemory, 0}, {});
  } catch (const std::exception& error) {
    return send_error(socket, ErrorCode::kFormat, error.what());
  }
}

}  // namespace

void serve_requests(int socket, int file, const Worker::Service& service) noexcept {
  const std::uint64_t memory_at_start = mapped_bytes();
  bool ok = true;
  if (const char* const call = enter_sandbox(socket, file)) {
    const std::string reason = std::generic_category().message(errno);
    ok = send_error(socket, ErrorCode::kIo, call + (": " + reason)) && false;
  } else {
    ok = send_answer(socket, {sizeof(memory_at_start), kAnswer, 0},
                     std::as_bytes(std::span(&memory_at_start, 1)));
  }
  std::uint64_t request = 0;
  while (ok && receive(socket, request)) ok = serve(socket, request, service);
  // Without handlers, destructors or flushing: all of them are copies of the parent's.
  ::_exit(0);
}

}  // namespace pqw
