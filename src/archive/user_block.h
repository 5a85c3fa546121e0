// The first block of an archive (512 bytes): magic, length of the file, digest of the rest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "io/input_file.h"

namespace pqw::archive {

inline constexpr std::size_t kUserBlockBytes = 512;

struct UserBlock {
  std::uint64_t version = 0;     // of the format
  std::uint64_t file_bytes = 0;  // of the whole file, these 512 included
  std::string sha256;            // of everything after these 512, as 64 hexadecimal digits
};

// Layout: ASCII lines, each ended by \n, padded with spaces to 511 bytes and a last \n:
//   pqw archive
//   version 2
//   bytes 1234
//   sha256 <64 lower-case hexadecimal digits>
//   check: tail -c +513 FILE | sha256sum
std::array<std::byte, kUserBlockBytes> render(const UserBlock& block);

// True when the bytes start with the first line above.
bool has_magic(std::span<const std::byte> file);

// The inverse of render: every byte of the block counts. `path` is for messages.
// Errors: kFormat (no magic), kUnsupported (another version), kCorrupt.
UserBlock parse(std::span<const std::byte> file, const std::string& path);

// The first block of a file. Errors: those of parse; kCorrupt when the file has another length.
UserBlock read_block(const InputFile& file);

}  // namespace pqw::archive
