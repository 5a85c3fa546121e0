// What the fuzz targets share.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>

#include "pqw/core/error.h"

namespace pqw::fuzz {

// A file in memory that has a path.
class MemoryFile {
 public:
  MemoryFile() : descriptor_(::memfd_create("fuzz", MFD_CLOEXEC)) {}

  void set(std::span<const std::uint8_t> content) {
    const bool ok = ::ftruncate(descriptor_, 0) == 0 &&
                    ::pwrite(descriptor_, content.data(), content.size(), 0) ==
                        static_cast<ssize_t>(content.size());
    if (!ok) std::abort();
  }

  std::string path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

 private:
  int descriptor_;
};

inline void require(bool ok) {
  if (!ok) std::abort();
}

// The one way in which reading may fail: a pqw::Error with a message of one line.
template <class Action>
void expect_result_or_error(Action action) {
  try {
    action();
  } catch (const Error& error) {
    const std::string message = error.what();
    require(!message.empty() && message.size() < 100'000);
    require(message.find('\n') == message.npos);
  }
}

// Opens a file of those bytes by `open` and reads every tensor.
template <class Open>
void read_all(std::span<const std::uint8_t> content, Open open) {
  static MemoryFile file;
  file.set(content);
  expect_result_or_error([&] {
    const auto reader = open(file.path());
    for (std::size_t i = 0; i < reader->tensors().size(); ++i) {
      require(reader->read(i).size() == byte_count(reader->tensors()[i]));
    }
  });
}

}  // namespace pqw::fuzz
