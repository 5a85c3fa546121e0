// Temporary files without a name, for bytes that come as a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "io/input_file.h"

namespace pqw {

// A file in the folder TMPDIR, or /tmp, that nothing else can open and that ends with its descriptor.
class Spool {
 public:
  // `source` is what the bytes come from, for messages. Errors: kIo.
  explicit Spool(std::string source);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Appends. Errors: kIo, also if less than a twentieth of the file system would stay free.
  void write(std::span<const std::byte> bytes);

  // The descriptor, which now belongs to the caller.
  int release();

 private:
  void require_space(std::uint64_t n_bytes) const;

  std::string source_;
  std::string folder_;
  int fd_ = -1;
  std::uint64_t checked_ = 0;  // bytes for which there is space
};

// The name of the standard input as an input, and of the standard output as an output.
inline constexpr char kStandardStream[] = "-";

// A new descriptor of the standard input as a regular file: of the file itself if it is one and
// nothing of it was read, else of a copy that is made once. Errors: kIo; kFormat (a terminal).
int open_standard_input();

// Writes all of an open file to the standard output. Errors: kIo.
void copy_to_standard_output(int fd);

}  // namespace pqw
