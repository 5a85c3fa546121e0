// What a process that reads a hostile file may do: compute, read what is open, answer.
#pragma once

namespace pqw {

// Gives up, for this process and for good: every descriptor but these two, opening others, writing
// files, core dumps, gaining privileges and, where the kernel filters system calls, all of them
// that reading, writing, memory and exit do not need (they fail with EPERM; no new process, no
// network, no program). Signals act by default, but those of a terminal are ignored. Returns
// nullptr, or the call that the system refused; errno says why.
// REQUIRES: called in a fresh child of one thread.
const char* enter_sandbox(int descriptor_a, int descriptor_b) noexcept;

// True when the program is built with AddressSanitizer or a relative, whose memory and system calls
// cannot be limited.
bool has_sanitizer() noexcept;

}  // namespace pqw
