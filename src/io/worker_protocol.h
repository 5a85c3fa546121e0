// What goes between a Worker and its child.
#pragma once

#include <cstddef>
#include <cstdint>

#include "io/worker.h"

namespace pqw {

// A request is its number. What comes back is followed by that many bytes: the answer, or the text
// of an error. Before all requests the child sends an answer of its own: the bytes of its address
// space (8 bytes in the order of this machine), or as an error the call that did not let it enter
// the sandbox, and why.
struct WorkerAnswer {
  std::uint64_t n_bytes;
  std::uint32_t kind;
  std::uint32_t code;  // of an error
};

inline constexpr std::uint32_t kAnswer = 0;
inline constexpr std::uint32_t kError = 1;
inline constexpr std::uint32_t kNoMemory = 2;

inline constexpr std::size_t kMaxMessageBytes = 4096;

// The life of the child. Never returns.
[[noreturn]] void serve_requests(int socket, int file, const Worker::Service& service) noexcept;

}  // namespace pqw
