// HDF5 datasets of numbers: creating, writing, reading.
#include "h5/dataset.h"

#include <hdf5.h>

#include <cassert>

#include "h5/parts.h"

namespace pqw::h5 {
namespace {

Handle creation_list(bool is_compact, Storage storage, const Context& context) {
  Handle list = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, context, "create a property list");
  check(H5Pset_obj_track_times(list.id(), false), context, "turn times off");
  check(H5Pset_fill_time(list.id(), H5D_FILL_TIME_NEVER), context, "turn filling off");
  check(H5Pset_layout(list.id(), is_compact ? H5D_COMPACT : H5D_CONTIGUOUS), context,
        "set the layout");
  check(H5Pset_alloc_time(list.id(), H5D_ALLOC_TIME_EARLY), context, "set the allocation time");
  if (storage == Storage::kPacked) {
    check(H5Pset_dset_no_attrs_hint(list.id(), true), context, "set the size of a header");
  }
  return list;
}

Handle create(Id parent, const std::string& link, Id type, const Handle& space, std::size_t bytes,
              Storage storage, const Context& context) {
  const bool is_compact = storage == Storage::kPacked && bytes <= kMaxCompactBytes;
  const Handle list = creation_list(is_compact, storage, context);
  const Handle links = link_list(context);
  return own(H5Dcreate2(parent, link.c_str(), type, space.id(), links.id(), list.id(), H5P_DEFAULT),
             H5Dclose, context, "create a dataset");
}

}  // namespace

Handle create_dataset(Id parent, const std::string& link, DType dtype,
                      std::span<const std::size_t> shape, Storage storage, const Context& context) {
  const auto bytes = checked_byte_count(shape, dtype);
  assert(bytes && shape.size() <= kMaxRank);
  const Handle space = create_space(shape, context);
  return create(parent, link, type_of(dtype), space, *bytes, storage, context);
}

Handle create_text_dataset(Id parent, const std::string& link, std::size_t bytes,
                           const Context& context) {
  const Handle type = text_type(bytes, context);
  return create(parent, link, type.id(), create_space({}, context), bytes, Storage::kPacked,
                context);
}

void write_dataset(Id dataset, std::span<const std::byte> bytes, const Context& context) {
  if (bytes.empty()) return;
  const Handle type = own(H5Dget_type(dataset), H5Tclose, context, "open a type");
  check(H5Dwrite(dataset, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), context,
        "write");
}

void read_dataset(Id dataset, std::span<std::byte> bytes, const Context& context) {
  if (bytes.empty()) return;
  const Handle type = own(H5Dget_type(dataset), H5Tclose, context, "open a type");
  check(H5Dread(dataset, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), context, "read");
}

}  // namespace pqw::h5
