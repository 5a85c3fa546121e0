// HDF5 files: creating and opening.
#include "h5/file.h"

#include <hdf5.h>
#include <sys/file.h>

#include <cerrno>

#include "h5/driver.h"
#include "h5/superblock.h"

namespace pqw::h5 {
namespace {

Handle access_list(const Context& context) {
  initialize();
  Handle list = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, context, "create a property list");
  check(H5Pset_fclose_degree(list.id(), H5F_CLOSE_STRONG), context, "set the way of closing");
  return list;
}

// HDF5 locks the files that it writes. The lock taken here lasts as long as the descriptor.
void require_no_writer(const InputFile& file, const Context& context) {
  if (::flock(file.descriptor(), LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    throw context.error(ErrorCode::kIo, "another program is writing it");
  }
  const auto superblock = find_superblock(file);
  if (superblock && is_marked_open(file, *superblock)) {
    throw context.error("was not closed by the program that wrote it");
  }
}

Handle create(const std::string& path, const Handle& access, FileKind kind,
              const Context& context) {
  const Handle list = own(H5Pcreate(H5P_FILE_CREATE), H5Pclose, context, "create a property list");
  check(H5Pset_obj_track_times(list.id(), false), context, "turn times off");
  // Whoever creates a file has its own lock (io/atomic_file.h), which this one would run into on
  // network file systems.
  check(H5Pset_file_locking(access.id(), false, true), context, "turn locking off");
  if (kind == FileKind::kArchive) {
    check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_V110, H5F_LIBVER_V110), context,
          "set the format version");
    check(H5Pset_userblock(list.id(), kUserBlockBytes), context, "set the user block");
    // Every object takes exactly its bytes at the end of the file; blocks would leave gaps. (Not by
    // H5Pset_file_space_strategy: it adds a header that always holds the time.)
    check(H5Pset_meta_block_size(access.id(), 0), context, "set the allocation of metadata");
    check(H5Pset_small_data_block_size(access.id(), 0), context, "set the allocation of data");
  } else {
    check(H5Pset_libver_bounds(access.id(), H5F_LIBVER_EARLIEST, H5F_LIBVER_V18), context,
          "set the format version");
  }
  return own(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, list.id(), access.id()), H5Fclose, context,
             "create");
}

}  // namespace

Handle create_file(const std::string& path, FileKind kind, const Context& context) {
  return create(path, access_list(context), kind, context);
}

Handle create_file(SparseFile& file, FileKind kind, const Context& context) {
  const Handle access = access_list(context);
  use_sparse_file(access.id(), file, context);
  return create("in memory", access, kind, context);
}

Handle open_file(const InputFile& file, const Context& context) {
  require_no_writer(file, context);
  const Handle access = access_list(context);
  use_descriptor(access.id(), file, context);
  Handle result =
      own(H5Fopen(file.path().c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, context, "open");
  haddr_t end = 0;
  check(H5Fget_eoa(result.id(), &end), context, "find the end");
  if (end != file.size()) {
    throw context.error(std::to_string(file.size()) + " bytes long, its superblock says " +
                        std::to_string(end));
  }
  return result;
}

}  // namespace pqw::h5
