// Writers whose system calls fail, or that are killed, at every moment.
#pragma once

namespace pqw::torture {

// Each prints its rows and returns whether nothing went wrong.
bool fail_writes(bool all);
bool kill_at_writes(bool all);
bool kill_at_random(bool all);

// Readers of a file that is being replaced all the time.
bool read_while_writing(bool all);

// Runs in the child: writes over `path` and returns the exit code of the tool.
int run_writer(const char* format, const char* path);

}  // namespace pqw::torture
