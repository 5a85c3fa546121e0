// Recognising archives and checking their digest, without parsing HDF5.
#include "archive/digest.h"
#include "archive/user_block.h"
#include "pqw/archive/archive.h"
#include "pqw/core/error.h"
#include "pqw/core/text.h"
#include "pqw/io/input_file.h"

namespace pqw {

bool is_archive(const std::string& path) {
  return archive::has_magic(InputFile(path).read_start(archive::kUserBlockBytes));
}

void verify_digest(const std::string& path) {
  const InputFile file(path);
  const archive::UserBlock block = archive::parse(file.read_start(archive::kUserBlockBytes), path);
  if (block.file_bytes != file.size()) {
    throw Error(ErrorCode::kCorrupt, printable(path) + ": " + std::to_string(file.size()) +
                                         " bytes long, its first block says " +
                                         std::to_string(block.file_bytes));
  }
  const std::string found = archive::to_hex(archive::sha256_from(file, archive::kUserBlockBytes));
  if (found != block.sha256) {
    throw Error(ErrorCode::kCorrupt, printable(path) + ": its bytes have the SHA-256 " + found +
                                         ", its first block says " + block.sha256);
  }
}

}  // namespace pqw
