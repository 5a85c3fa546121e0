// HDF5 files: creating and opening.
#include "h5/file.h"

#include <hdf5.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "h5/driver.h"

namespace pqw::h5 {
namespace {

constexpr std::string_view kSignature = "\x89HDF\r\n\x1a\n";

bool fits(const InputFile& file, std::uint64_t offset, std::size_t n_bytes) {
  return offset <= file.size() && n_bytes <= file.size() - offset;
}

Handle access_list(const Subject& subject) {
  initialize();
  Handle list = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, subject, "create a property list");
  check(H5Pset_fclose_degree(list.id(), H5F_CLOSE_STRONG), subject, "set the way of closing");
  return list;
}

// HDF5 locks the files that it writes. The lock taken here lasts as long as the descriptor.
void require_no_writer(const InputFile& file, const Subject& subject) {
  if (::flock(file.descriptor(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw subject.error(ErrorCode::kIo, "another program is writing it");
  }
  const auto superblock = find_superblock(file);
  if (superblock && is_marked_open(file, *superblock)) {
    throw subject.error("was not closed by the program that wrote it");
  }
}

Handle create(const std::string& path, const Handle& access, FileKind kind,
              const Subject& subject) {
  const Handle list = own(H5Pcreate(H5P_FILE_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_obj_track_times(list.id(), false), subject, "turn times off");
  // Whoever creates a file has its own lock (io/atomic_file.h), which this one would run into on
  // network file systems.
  check(H5Pset_file_locking(access.id(), false, true), subject, "turn locking off");
  if (kind == FileKind::kArchive) {
    check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V110, H5F_LIBVER_V110), subject,
          "set the format version");
    check(H5Pset_userblock(list.id(), kUserBlockBytes), subject, "set the user block");
    // Every object takes exactly its bytes at the end of the file; blocks would leave gaps. (Not by
    // H5Pset_file_space_strategy: it adds a header that always holds the time.)
    check(H5Pset_meta_block_size(access.id(), 0), subject, "set the allocation of metadata");
    check(H5Pset_small_data_block_size(access.id(), 0), subject, "set the allocation of data");
    // The header of the root group is made for 4 links with names of 32 bytes or, as in archives,
    // for 3 shorter ones and attributes.
    check(H5Pset_est_link_info(list.id(), 4, 32), subject, "set the size of the root group");
  } else {
    check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18), subject,
          "set the format version");
  }
  return own(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, list.id(), access.id()), H5Fclose, subject,
             "create");
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

Handle create_file(const std::string& path, FileKind kind, const Subject& subject) {
  return create(path, access_list(subject), kind, subject);
}

Handle create_file(SparseFile& file, FileKind kind, const Subject& subject) {
  const Handle access = access_list(subject);
  use_sparse_file(access.id(), file, subject);
  return create("in memory", access, kind, subject);
}

Handle open_file(const InputFile& file, const Subject& subject) {
  require_no_writer(file, subject);
  const Handle access = access_list(subject);
  use_input_file(access.id(), file, subject);
  Handle result = own(H5Fopen(file.path().c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, subject,
                      "open", kFetchAgain);
  haddr_t end = 0;
  check(H5Fget_eoa(result.id(), &end), subject, "find the end");
  if (end != file.size()) {
    throw subject.error("{} bytes long, its superblock says {}; {}", file.size(), end, kFetchAgain);
  }
  return result;
}

}  // namespace pqw::h5
