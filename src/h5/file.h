// HDF5 files: creating, recognising and opening.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "h5/handle.h"
#include "h5/sparse_file.h"
#include "io/input_file.h"

namespace pqw::h5 {

enum class FileKind {
  kArchive,      // format of HDF5 1.10, block of 512 bytes for the user, no allocation in blocks
  kInterchange,  // the oldest format that holds the content: for other programs
};

// Size of the block before HDF5's own bytes in files of kArchive.
inline constexpr std::size_t kUserBlockBytes = 512;

// Truncates or creates `path`. Neither the file nor its objects hold times: equal calls give equal
// bytes. `subject` names the file for people, whatever `path` is.
Handle create_file(const std::string& path, FileKind kind, const Subject& subject);

// The same in memory. `file` has to outlive the handle.
Handle create_file(SparseFile& file, FileKind kind, const Subject& subject);

// Where the signature is: at the start, or after a user block of 512, 1024, 2048, ... bytes. Empty
// if the file is not an HDF5 file.
std::optional<std::uint64_t> find_superblock(const InputFile& file);

// True if a program has the file open for writing, or did not close it after writing. Only files
// with superblock version 3 carry this mark.
bool is_marked_open(const InputFile& file, std::uint64_t superblock);

// The only place that opens existing files: read-only, by a descriptor of a regular file that is
// open already (h5/driver.h), with filter plugins off, and not while another program writes. The
// file has to end where its own superblock says, and has to outlive the handle. What is in it was
// not looked at yet. HDF5 is not safe against hostile files: see docs/security.md.
Handle open_file(const InputFile& file, const Subject& subject);

}  // namespace pqw::h5
