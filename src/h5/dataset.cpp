// HDF5 datasets of numbers: creating, writing, reading.
#include "h5/dataset.h"

#include <hdf5.h>

#include <cassert>

#include "h5/create.h"

namespace pqw::h5 {
namespace {

Handle creation_list(bool is_compact, Storage storage, const Subject& subject) {
  Handle list = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_obj_track_times(list.id(), false), subject, "turn times off");
  check(H5Pset_fill_time(list.id(), H5D_FILL_TIME_NEVER), subject, "turn filling off");
  check(H5Pset_layout(list.id(), is_compact ? H5D_COMPACT : H5D_CONTIGUOUS), subject,
        "set the layout");
  check(H5Pset_alloc_time(list.id(), H5D_ALLOC_TIME_EARLY), subject, "set the allocation time");
  if (storage == Storage::kPacked) {
    check(H5Pset_dset_no_attrs_hint(list.id(), true), subject, "set the size of a header");
  }
  return list;
}

Handle create(Id parent, const std::string& link, Id type, const Handle& space, std::size_t bytes,
              Storage storage, const Subject& subject) {
  const bool is_compact = storage == Storage::kPacked && bytes <= kMaxCompactBytes;
  const Handle list = creation_list(is_compact, storage, subject);
  const Handle links = link_list(subject);
  return own(H5Dcreate2(parent, link.c_str(), type, space.id(), links.id(), list.id(), H5P_DEFAULT),
             H5Dclose, subject, "create a dataset");
}

}  // namespace

Handle create_dataset(Id parent, const std::string& link, DType dtype,
                      std::span<const std::size_t> shape, Storage storage, const Subject& subject) {
  const auto bytes = checked_byte_count(shape, dtype);
  assert(bytes && shape.size() <= kMaxRank);
  const Handle space = create_space(shape, subject);
  return create(parent, link, type_of(dtype), space, *bytes, storage, subject);
}

Handle create_text_dataset(Id parent, const std::string& link, std::size_t bytes,
                           const Subject& subject) {
  const Handle type = text_type(bytes, subject);
  return create(parent, link, type.id(), create_space({}, subject), bytes, Storage::kPacked,
                subject);
}

void write_dataset(Id dataset, std::span<const std::byte> bytes, const Subject& subject) {
  if (bytes.empty()) return;
  const Handle type = own(H5Dget_type(dataset), H5Tclose, subject, "open a type");
  check(H5Dwrite(dataset, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), subject,
        "write");
}

void read_dataset(Id dataset, std::span<std::byte> bytes, const Subject& subject) {
  if (bytes.empty()) return;
  const Handle type = own(H5Dget_type(dataset), H5Tclose, subject, "open a type");
  check(H5Dread(dataset, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), subject, "read");
}

}  // namespace pqw::h5
