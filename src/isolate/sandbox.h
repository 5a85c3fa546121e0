// The sandbox of a process that reads a hostile file: it may compute, read open files and answer.
#pragma once

namespace pqw {

// Gives up for good: every descriptor except these two, opening others, writing files, core dumps
// and gaining privileges. If the kernel filters system calls, also gives up every call that
// reading, writing, memory and exit do not need (they fail with EPERM: no new process, no network,
// no program). Signals get their default action, except that signals from a terminal are ignored.
// Returns nullptr, or the call that the system refused; errno says why. REQUIRES: called in a fresh
// child of one thread.
const char* enter_sandbox(int descriptor_a, int descriptor_b) noexcept;

// True when the program is built with AddressSanitizer or a relative, whose memory and system calls
// cannot be limited.
bool has_sanitizer() noexcept;

}  // namespace pqw
