// The first bytes of HDF5's part of a file, looked at without HDF5.
#include "h5/superblock.h"

#include <cstring>
#include <string_view>

namespace pqw::h5 {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

bool fits(const InputFile& file, std::uint64_t offset, std::size_t n_bytes) {
  return offset <= file.size() && n_bytes <= file.size() - offset;
}

}  // namespace

std::optional<std::uint64_t> find_superblock(const InputFile& file) {
  for (std::uint64_t at = 0; fits(file, at, kSignature.size()); at = at == 0 ? 512 : 2 * at) {
    const auto bytes = file.read(at, kSignature.size());
    if (std::memcmp(bytes.data(), kSignature.data(), bytes.size()) == 0) return at;
  }
  return std::nullopt;
}

// Layout: the signature, u8 version, u8 size of offsets, u8 size of lengths, u8 flags: bit 0 is set
// while the file is open for writing, bit 2 while it may be read meanwhile (SWMR).
bool is_marked_open(const InputFile& file, std::uint64_t superblock) {
  constexpr std::size_t kVersionAt = 8, kFlagsAt = 11;
  if (!fits(file, superblock, kFlagsAt + 1)) return false;
  const auto bytes = file.read(superblock, kFlagsAt + 1);
  const unsigned flags = std::to_integer<unsigned>(bytes[kFlagsAt]);
  return bytes[kVersionAt] == std::byte{3} && (flags & 5u) != 0;
}

}  // namespace pqw::h5
