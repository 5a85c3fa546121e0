// Temporary files that their writer has locked.
#pragma once

#include <signal.h>

#include <string>

namespace pqw {

// While it lives, no signal interrupts this thread, and a handler in another thread waits before it
// removes temporaries. Hold it while a temporary exists that is not registered.
class SignalPause {
 public:
  SignalPause();
  ~SignalPause();
  SignalPause(const SignalPause&) = delete;
  SignalPause& operator=(const SignalPause&) = delete;

 private:
  sigset_t before_;
};

// Creates the file, open for reading and writing and locked for the life of the descriptor. One
// that a dead writer left under that name is removed first. Messages name `path`, what is written.
// Whoever removes or renames such a file has its lock and has seen that the name is still that of
// the locked file. Errors: kBusy when somebody else has it; kIo.
int create_locked(const std::string& temporary, const std::string& path);

// For remove_temporaries_in_signal_handler. Returns the number of an entry, or -1 when there is no
// space for it.
int register_temporary(const std::string& temporary);
void unregister_temporary(int entry);

}  // namespace pqw
