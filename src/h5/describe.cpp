// HDF5 datasets of numbers: what a dataset says of itself.
#include <hdf5.h>

#include "h5/dataset.h"

namespace pqw::h5 {
namespace {

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

DatasetInfo describe(Id dataset, const Subject& subject) {
  DatasetInfo info;
  describe_type(dataset, info, subject);
  describe_space(dataset, info, subject);
  describe_storage(dataset, info, subject);
  return info;
}

}  // namespace pqw::h5
