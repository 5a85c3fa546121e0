// HDF5 files: creating and opening.
#include "h5/file.h"

#include <hdf5.h>

namespace pqw::h5 {
namespace {

Handle access_list(const Context& context) {
  initialize();
  Handle list = own(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, context, "create a property list");
  check(H5Pset_fclose_degree(list.id(), H5F_CLOSE_STRONG), context, "set the way of closing");
  return list;
}

}  // namespace

Handle create_file(const std::string& path, FileKind kind, const Context& context) {
  const Handle access = access_list(context);
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

Handle open_file(const std::string& path, const Context& context) {
  const Handle access = access_list(context);
  return own(H5Fopen(path.c_str(), H5F_ACC_RDONLY, access.id()), H5Fclose, context, "open");
}

std::uint64_t allocated_end(Id file, const Context& context) {
  haddr_t end = 0;
  check(H5Fget_eoa(file, &end), context, "find the end");
  return end;
}

}  // namespace pqw::h5
