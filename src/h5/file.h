// HDF5 files: creating and opening.
#pragma once

#include <cstdint>
#include <string>

#include "h5/handle.h"

namespace pqw::h5 {

enum class FileKind {
  kArchive,      // format of HDF5 1.10, block of 512 bytes for the user, no allocation in blocks
  kInterchange,  // the oldest format that holds the content: for other programs
};

// Size of the block before HDF5's own bytes in files of kArchive.
inline constexpr std::size_t kUserBlockBytes = 512;

// Truncates or creates `path`. Neither the file nor its objects hold times: equal calls give equal
// bytes. `context` names the file for people, whatever `path` is.
Handle create_file(const std::string& path, FileKind kind, const Context& context);

// Read-only.
Handle open_file(const std::string& path, const Context& context);

// Where the file ends according to its own superblock, in bytes from its start.
std::uint64_t allocated_end(Id file, const Context& context);

}  // namespace pqw::h5
