// Child processes of programs that fork without exec, as multiprocessing of Python does.
#pragma once

namespace pqw {

// True on the thread that a fork left in a child process. GCC's OpenMP has no threads there: those of
// the parent do not exist, and the next parallel region would wait for them for ever. Threads that
// the child itself creates are not concerned.
bool is_forked_thread();

}  // namespace pqw
