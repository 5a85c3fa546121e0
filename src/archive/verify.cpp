// Recognising archives and checking their digest, without parsing HDF5.
#include "archive/digest.h"
#include "archive/user_block.h"
#include "core/subject.h"
#include "io/input_file.h"
#include "pqw/archive/archive.h"

namespace pqw {

bool is_archive(const std::string& path) {
  return archive::has_magic(InputFile(path).read_start(archive::kUserBlockBytes));
}

void verify_digest(const std::string& path) {
  const InputFile file(path);
  const archive::UserBlock block = archive::parse(file.read_start(archive::kUserBlockBytes), path);
  if (block.file_bytes != file.size()) {
    throw Subject{path}.error(ErrorCode::kCorrupt, "{} bytes long, its first block says {}",
                              file.size(), block.file_bytes);
  }
  const std::string found = archive::to_hex(archive::sha256_from(file, archive::kUserBlockBytes));
  if (found != block.sha256) {
    throw Subject{path}.error(ErrorCode::kCorrupt,
                              "its bytes have the SHA-256 {}, its first block says {}", found,
                              block.sha256);
  }
}

}  // namespace pqw
