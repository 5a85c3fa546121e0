// Recognising archives and checking their digest, without parsing HDF5.
#include "archive/digest.h"
#include "archive/user_block.h"
#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/io/mapped_file.h"

namespace pqw {

bool is_archive(const std::string& path) { return archive::has_magic(MappedFile(path).bytes()); }

void verify_digest(const std::string& path) {
  const MappedFile file(path);
  const archive::UserBlock block = archive::parse(file.bytes(), path);
  if (block.file_bytes != file.bytes().size()) {
    throw Error(ErrorCode::kCorrupt, printable(path) + ": " + std::to_string(file.bytes().size()) +
                                         " bytes long, its first block says " +
                                         std::to_string(block.file_bytes));
  }
  const std::string found = archive::to_hex(
      archive::sha256(file.bytes().subspan(archive::kUserBlockBytes),
                      [&](std::span<const std::byte> part) { file.release(part); }));
  if (found != block.sha256) {
    throw Error(ErrorCode::kCorrupt, printable(path) + ": its bytes have the SHA-256 " + found +
                                         ", its first block says " + block.sha256);
  }
}

}  // namespace pqw
