// Zip archives put together by hand, right or wrong in any field.
//
// Layout of an archive: for each member a local header, its name and its data; the central
// directory, one header and name for each member; the end record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/formats/file_testing.h"

namespace pqw::test {

// CRC-32 of the zip format (ISO 3309), bit by bit.
inline std::uint32_t crc32(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0u);
  }
  return ~crc;
}

inline std::string u16(std::size_t value) {
  return little_endian({static_cast<std::uint16_t>(value)});
}
inline std::string u32(std::size_t value) {
  return little_endian({static_cast<std::uint32_t>(value)});
}
inline std::string u64(std::uint64_t value) { return little_endian({value}); }

// A deflate stream of one block without compression. REQUIRES: at most 65535 bytes.
inline std::string deflated(std::string_view bytes) {
  return std::string(1, '\1') + u16(bytes.size()) + u16(~bytes.size()) + std::string(bytes);
}

// Fields that are not set are what they should be for a stored member.
struct ZipMember {
  std::string name;
  std::string stored;  // the bytes in the archive
  std::uint16_t method = 0;
  std::uint16_t flags = 0;
  std::optional<std::uint32_t> crc = {};
  std::optional<std::uint32_t> size = {};  // uncompressed
  std::optional<std::uint32_t> stored_size = {};
  std::optional<std::string> local_name = {};
  std::optional<std::uint32_t> local_offset = {};
  bool in_directory_only = false;  // no local header and data
  std::string extra = {};          // after the name in both headers
  std::string after = {};          // after the data

  // What both headers share, from "version needed" to the sizes.
  std::string common() const {
    return u16(45) + u16(flags) + u16(method) + u16(0) + u16(33) +
           u32(crc.value_or(crc32(stored))) + u32(stored_size.value_or(stored.size())) +
           u32(size.value_or(stored.size()));
  }
};

inline ZipMember deflated_member(const std::string& name, const std::string& content) {
  return {.name = name,
          .stored = deflated(content),
          .method = 8,
          .crc = crc32(content),
          .size = static_cast<std::uint32_t>(content.size())};
}

struct ZipEnd {
  std::uint16_t disk = 0;
  std::optional<std::uint16_t> n_members = {};
  std::optional<std::uint32_t> directory_offset = {};
};

inline std::string zip_of(const std::vector<ZipMember>& members, const ZipEnd& end = {}) {
  std::string archive, directory;
  for (const ZipMember& member : members) {
    const std::size_t offset = member.local_offset.value_or(archive.size());
    const std::string local_name = member.local_name.value_or(member.name);
    if (!member.in_directory_only) {
      archive += "PK\3\4" + member.common() + u16(local_name.size()) + u16(member.extra.size()) +
                 local_name + member.extra + member.stored + member.after;
    }
    directory += "PK\1\2" + u16(0x0314) + member.common() + u16(member.name.size()) +
                 u16(member.extra.size()) + u16(0) + u16(0) + u16(0) + u32(0100644u << 16) +
                 u32(offset) + member.name + member.extra;
  }
  const std::size_t n = end.n_members.value_or(members.size());
  return archive + directory + "PK\5\6" + u16(end.disk) + u16(end.disk) + u16(n) + u16(n) +
         u32(directory.size()) + u32(end.directory_offset.value_or(archive.size())) + u16(0);
}

// A .npy file, version 1.0, around a literal or of a type and shape.
inline std::string npy_literal(const std::string& literal, const std::string& data) {
  return std::string("\x93NUMPY\1\0", 8) + u16(literal.size()) + literal + data;
}
inline std::string npy_of(const std::string& descr, const std::string& shape,
                          const std::string& data) {
  return npy_literal(
      "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n", data);
}

}  // namespace pqw::test
