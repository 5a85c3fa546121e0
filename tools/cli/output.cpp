// Tells what became of an output when a run fails.
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <new>
#include <system_error>

#include "cli/console.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/io/same_file.h"

namespace pqw::tool {
namespace {

// Whether the message of an error with this code does not tell what became of the output.
bool leaves_output_open(ErrorCode code) {
  using enum ErrorCode;
  constexpr std::array kOpen{kIo, kFormat, kCorrupt, kUnsupported, kNonFinite, kNotCarried};
  return std::ranges::find(kOpen, code) != kOpen.end();
}

enum Fate { kNotWritten, kAsItWas, kComplete };

// An output, and the state of its file when this object was made.
class Output {
 public:
  explicit Output(const std::string& path)
      : path_(path),
        was_there_(::stat(path.c_str(), &before_) == 0),
        texts_{"; " + path + " was not written", "; " + path + " is as it was",
               "; " + path + " is complete"},
        no_memory_{out_of_memory(kNotWritten), out_of_memory(kAsItWas), out_of_memory(kComplete)} {}

  const std::string& text(Fate fate) const noexcept { return texts_[fate]; }
  Fate unwritten() const noexcept { return was_there_ ? kAsItWas : kNotWritten; }

  // Memory may run out before the file is replaced or after. The new file is made while the old one
  // exists, so it has another inode.
  const Error& out_of_memory() const noexcept {
    struct stat now;
    if (::stat(path_.c_str(), &now) != 0) return no_memory_[kNotWritten];
    const bool is_same = was_there_ && now.st_dev == before_.st_dev && now.st_ino == before_.st_ino;
    return no_memory_[is_same ? kAsItWas : kComplete];
  }

 private:
  Error out_of_memory(Fate fate) const {
    return {ErrorCode::kIo, "out of memory" + (path_.empty() ? "" : texts_[fate])};
  }

  const std::string& path_;
  struct stat before_ = {};
  const bool was_there_;
  const std::array<std::string, 3> texts_;
  const std::array<Error, 3> no_memory_;  // made beforehand: later there may be no memory for it
};

}  // namespace

void print_unusual_extension(const std::string& archive) {
  std::error_code ignored;
  std::string extension = std::filesystem::path(archive).extension();
  for (char& c : extension) c = 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool is_usual = extension.empty() || extension == ".h5" || extension == ".hdf5" ||
                        extension == ".pqw" || std::filesystem::is_directory(archive, ignored);
  if (is_usual) return;
  print_note(archive +
             ": an archive is an HDF5 file; its usual extensions are .h5, .hdf5 and .pqw");
}

void write_output(const std::string& path, const std::function<void()>& write,
                  const std::function<void()>& report) {
  const Output output(path);
  Fate fate = output.unwritten();
  try {
    try {
      write();
      fate = kComplete;
      report();
    } catch (const SameFileError& error) {
      throw CLI::ValidationError(printable(error.what()));
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kExists) {
        throw Error(error.code(), std::string(error.what()) + "; --force replaces it");
      }
      if (path.empty() || !leaves_output_open(error.code())) throw;
      throw Error(error.code(), error.what() + output.text(fate));
    }
  } catch (const std::bad_alloc&) {
    throw output.out_of_memory();
  }
}

}  // namespace pqw::tool
