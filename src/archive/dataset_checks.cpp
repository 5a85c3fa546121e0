// Checks of HDF5 objects that an archive of any version makes before it uses them.
#include "archive/dataset_checks.h"

namespace pqw::archive {

h5::Object open_only_name(h5::Id file, const h5::Link& link, const Subject& subject) {
  if (link.kind != h5::LinkKind::kHard) {
    throw subject.error("a soft, external or unknown link, expected a hard link");
  }
  h5::Object object = h5::open_object(file, link.address, subject);
  if (object.n_names != 1) throw subject.error("{} links to it, expected one", object.n_names);
  return object;
}

void check_raw(const h5::DatasetInfo& info, std::uint64_t expected_bytes, std::uint64_t file_bytes,
               const Subject& subject) {
  if (info.is_external) throw subject.error("its data is in other files, expected in this one");
  if (info.layout != h5::Layout::kCompact && info.layout != h5::Layout::kContiguous) {
    throw subject.error("a chunked or virtual layout, expected contiguous or compact");
  }
  if (!info.filters.empty()) throw subject.error("filter {}, expected none", info.filters.front());
  if (info.stored_bytes != expected_bytes) {
    throw subject.error("{} bytes stored, its shape needs {}", info.stored_bytes, expected_bytes);
  }
  const std::uint64_t offset = info.offset.value_or(0);
  if (expected_bytes > file_bytes || offset > file_bytes - expected_bytes) {
    throw subject.error("{} bytes at {}, beyond the end of the file at {}", expected_bytes, offset,
                        file_bytes);
  }
}

}  // namespace pqw::archive
