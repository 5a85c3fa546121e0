// The messages between a Worker and its child.
#pragma once

#include <cstddef>
#include <cstdint>

#include "isolate/worker.h"

namespace pqw {

// A request is its number. A reply is a header and then as many bytes as the header says: the
// answer, or the text of an error. Before the first request the child sends a reply by itself: the
// size of its address space in bytes (8 bytes in the order of this machine), or as an error the
// call that kept it out of the sandbox, and why.
struct WorkerAnswer {
  std::uint64_t n_bytes;
  std::uint32_t kind;
  std::uint32_t code;  // of an error
};

inline constexpr std::uint32_t kAnswer = 0;
inline constexpr std::uint32_t kError = 1;
inline constexpr std::uint32_t kNoMemory = 2;

inline constexpr std::size_t kMaxMessageBytes = 4096;

// Runs the child until it ends. Never returns.
[[noreturn]] void serve_requests(int socket, int file, const Worker::Service& service) noexcept;

}  // namespace pqw
