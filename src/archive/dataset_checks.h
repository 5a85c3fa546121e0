// Checks of HDF5 objects that an archive of any version makes before it uses them.
#pragma once

#include <cstdint>

#include "core/subject.h"
#include "h5/dataset.h"
#include "h5/group.h"

namespace pqw::archive {

// The object of a hard link, which has no other name. Errors: those of the subject.
h5::Object open_only_name(h5::Id file, const h5::Link& link, const Subject& subject);

// Throws an error of the subject unless the data is in this file, raw, whole and as long as
// expected.
void check_raw(const h5::DatasetInfo& info, std::uint64_t expected_bytes, std::uint64_t file_bytes,
               const Subject& subject);

}  // namespace pqw::archive
