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

// Creates the file, opens it for reading and writing, and locks it for the life of the descriptor.
// First removes a file that a dead writer left under that name. Messages name `path`, the output.
// A process may remove or rename the file only while it holds the lock, and after it has checked
// that the name still leads to the locked file. Errors: kBusy when another writer has it; kIo.
int create_locked(const std::string& temporary, const std::string& path);

// For remove_temporaries_in_signal_handler, a file or a folder of such files. Returns the number of an entry, or -1 when there is no
// space for it.
int register_temporary(const std::string& temporary);
void unregister_temporary(int entry);

}  // namespace pqw
