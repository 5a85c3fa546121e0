// A child process that reads a file which may be hostile: the side of the child.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <span>
#include <string_view>

#include "io/sandbox.h"
#include "io/worker_protocol.h"
#include "pqw/core/error.h"

namespace pqw {
namespace {

constexpr int kNoSandbox = 3;

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
  return send_answer(socket, {text.size(), 1, static_cast<std::uint32_t>(code)},
                     std::as_bytes(std::span(text)));
}

bool serve(int socket, std::uint64_t request, const Worker::Service& service) {
  try {
    const std::vector<std::byte> bytes = service(request);
    return send_answer(socket, {bytes.size(), 0, 0}, bytes);
  } catch (const Error& error) {
    return send_error(socket, error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return send_error(socket, ErrorCode::kFormat, "needs more memory than its size can explain");
  } catch (const std::exception& error) {
    return send_error(socket, ErrorCode::kFormat, error.what());
  }
}

}  // namespace

void serve_requests(int socket, int file, const Worker::Service& service) noexcept {
  if (!enter_sandbox(socket, file)) ::_exit(kNoSandbox);
  std::uint64_t request = 0;
  bool ok = true;
  while (ok && receive(socket, request)) {
    ok = serve(socket, request, service);
  }
  // Without handlers, destructors or flushing: all of them are copies of the parent's.
  ::_exit(0);
}

}  // namespace pqw
