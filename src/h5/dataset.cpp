// HDF5 datasets of numbers.
#include "h5/dataset.h"

#include <hdf5.h>

#include <cassert>

namespace pqw::h5 {
namespace {

void set_deflate(const Handle& list, std::span<const std::size_t> shape, const Subject& subject) {
  constexpr unsigned kBestLevel = 9;
  const std::vector<hsize_t> chunk(shape.begin(), shape.end());
  check(H5Pset_chunk(list.id(), static_cast<int>(chunk.size()), chunk.data()), subject,
        "set the chunks");
  check(H5Pset_deflate(list.id(), kBestLevel), subject, "set the filter deflate");
}

Handle creation_list(std::span<const std::size_t> shape, Storage storage, const Subject& subject) {
  Handle list = own(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, subject, "create a property list");
  check(H5Pset_obj_track_times(list.id(), false), subject, "turn times off");
  check(H5Pset_fill_time(list.id(), H5D_FILL_TIME_NEVER), subject, "turn filling off");
  if (storage == Storage::kDeflated) {
    set_deflate(list, shape, subject);
  } else {
    check(H5Pset_layout(list.id(), H5D_CONTIGUOUS), subject, "set the layout");
    check(H5Pset_alloc_time(list.id(), H5D_ALLOC_TIME_EARLY), subject, "set the allocation time");
  }
  if (storage != Storage::kContiguous) {
    check(H5Pset_dset_no_attrs_hint(list.id(), true), subject, "set the size of a header");
  }
  return list;
}

void describe_type(Id dataset, DatasetInfo& info, const Subject& subject) {
  const Handle type = own(H5Dget_type(dataset), H5Tclose, subject, "open a type");
  info.type = dtype_of(type.id(), subject);
  info.element_bytes = H5Tget_size(type.id());
  info.is_text = H5Tget_class(type.id()) == H5T_STRING && H5Tis_variable_str(type.id()) == 0;
}

void describe_space(Id dataset, DatasetInfo& info, const Subject& subject) {
  const Handle space = own(H5Dget_space(dataset), H5Sclose, subject, "open a dataspace");
  const H5S_class_t kind = H5Sget_simple_extent_type(space.id());
  info.has_space = kind == H5S_SCALAR || kind == H5S_SIMPLE;
  if (kind != H5S_SIMPLE) return;
  const int rank = H5Sget_simple_extent_ndims(space.id());
  check(rank, subject, "read a dataspace");
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space.id(), dims.data(), nullptr), subject, "read a dataspace");
  info.shape.assign(dims.begin(), dims.end());
}

void describe_chunks(Id list, DatasetInfo& info, const Subject& subject) {
  std::vector<hsize_t> dims(kMaxRank + 1);
  const int rank = H5Pget_chunk(list, static_cast<int>(dims.size()), dims.data());
  check(rank, subject, "read the chunks");
  std::vector<std::size_t> chunk(dims.begin(), dims.begin() + rank);
  info.chunk = chunk;
  chunk.push_back(info.element_bytes);
  info.chunk_bytes = checked_element_count(chunk).value_or(UINT64_MAX);
}

void describe_storage(Id dataset, DatasetInfo& info, const Subject& subject) {
  const Handle list =
      own(H5Dget_create_plist(dataset), H5Pclose, subject, "read the properties of a dataset");
  switch (H5Pget_layout(list.id())) {
    case H5D_COMPACT:
      info.layout = Layout::kCompact;
      break;
    case H5D_CONTIGUOUS:
      info.layout = Layout::kContiguous;
      break;
    case H5D_CHUNKED:
      info.layout = Layout::kChunked;
      describe_chunks(list.id(), info, subject);
      break;
    default:
      info.layout = Layout::kOther;
  }
  const int n_external = H5Pget_external_count(list.id());
  check(n_external, subject, "read the properties of a dataset");
  info.is_external = n_external > 0;
  const int n_filters = H5Pget_nfilters(list.id());
  check(n_filters, subject, "read the filters");
  for (unsigned i = 0; i < static_cast<unsigned>(n_filters); ++i) {
    unsigned flags = 0;
    std::size_t n_values = 0;
    unsigned config = 0;
    const int filter =
        H5Pget_filter2(list.id(), i, &flags, &n_values, nullptr, 0, nullptr, &config);
    check(filter, subject, "read the filters");
    info.filters.push_back(filter);
  }
  // Of other layouts HDF5 would have to look into other files.
  if (info.layout == Layout::kOther || info.is_external) return;
  info.stored_bytes = H5Dget_storage_size(dataset);
  if (info.layout != Layout::kContiguous) return;
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset != HADDR_UNDEF) info.offset = offset;
}

}  // namespace

Handle create_dataset(Id parent, const std::string& link, DType dtype,
                      std::span<const std::size_t> shape, Storage storage, const Subject& subject) {
  assert(checked_byte_count(shape, dtype) && shape.size() <= kMaxRank);
  const Handle space = create_space(shape, subject);
  const Handle list = creation_list(shape, storage, subject);
  const Handle links = link_list(subject);
  return own(H5Dcreate2(parent, link.c_str(), type_of(dtype), space.id(), links.id(), list.id(),
                        H5P_DEFAULT),
             H5Dclose, subject, "create a dataset");
}

void write_dataset(Id dataset, std::span<const std::byte> bytes, const Subject& subject) {
  if (bytes.empty()) return;
  const Handle type = own(H5Dget_type(dataset), H5Tclose, subject, "open a type");
  check(H5Dwrite(dataset, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), subject,
        "write");
}

DatasetInfo describe(Id dataset, const Subject& subject) {
  DatasetInfo info;
  describe_type(dataset, info, subject);
  describe_space(dataset, info, subject);
  describe_storage(dataset, info, subject);
  return info;
}

std::vector<Chunk> list_chunks(Id dataset, std::size_t rank, std::size_t max_count,
                               const Subject& subject) {
  const Handle space = own(H5Dget_space(dataset), H5Sclose, subject, "open a dataspace");
  hsize_t count = 0;
  check(H5Dget_num_chunks(dataset, space.id(), &count), subject, "count the chunks");
  if (count > max_count) throw subject.error("more than {} chunks", max_count);
  std::vector<Chunk> chunks;
  for (hsize_t i = 0; i < count; ++i) {
    std::vector<hsize_t> start(rank);
    unsigned filter_mask = 0;
    haddr_t address = HADDR_UNDEF;
    hsize_t size = 0;
    check(H5Dget_chunk_info(dataset, space.id(), i, start.data(), &filter_mask, &address, &size),
          subject, "look for a chunk");
    chunks.push_back({Shape(start.begin(), start.end()), address});
  }
  return chunks;
}

void read_dataset(Id dataset, std::span<std::byte> bytes, const Subject& subject) {
  if (bytes.empty()) return;
  const Handle type = own(H5Dget_type(dataset), H5Tclose, subject, "open a type");
  check(H5Dread(dataset, type.id(), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), subject, "read");
}

}  // namespace pqw::h5
