// What goes between a Worker and its child.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/worker.h"

namespace pqw {

// A request is its number. What comes back is followed by that many bytes: the answer, or the text
// of an error.
struct WorkerAnswer {
  std::uint64_t n_bytes;
  std::uint32_t is_error;
  std::uint32_t code;  // of the error
};

inline constexpr std::size_t kMaxMessageBytes = 4096;

// The life of the child. Never returns.
[[noreturn]] void serve_requests(int socket, int file, const Worker::Service& service) noexcept;

}  // namespace pqw
