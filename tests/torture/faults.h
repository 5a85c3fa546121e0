// Writers whose system calls fail, or that are killed, at every moment.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pqw::torture {

// Each prints its rows and returns whether nothing went wrong.
bool fail_writes(bool all);
bool kill_at_writes(bool all);
bool kill_at_random(bool all);

// Readers of a file that is being replaced all the time.
bool read_while_writing(bool all);

struct LoggedWrite {
  std::uint64_t offset;
  std::string bytes;
};

// Lets a child write an archive to `path`, the only file in its folder, and returns the writes in
// their order.
std::vector<LoggedWrite> log_archive_writes(const std::string& path);

// Runs in the child: writes over `path` and returns the exit code of the tool.
int run_writer(const char* format, const char* path);

}  // namespace pqw::torture
