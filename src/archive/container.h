// The HDF5 file of an archive of version 2 without the bytes of its tensors.
#pragma once

#include <cstdint>
#include <string>

#include "archive/chunks.h"
#include "core/subject.h"
#include "h5/sparse_file.h"

namespace pqw::archive {

struct Container {
  h5::SparseFile file;  // /data and /manifest are allocated, not written
  Area data, manifest;
};

// The place of /data does not depend on the arguments. Errors: kIo; kInvalidArgument if the index
// is so repetitive that readers would refuse it.
Container make_container(std::uint64_t data_bytes, const std::string& index,
                         const Subject& subject);

// The largest index that a file which stores it in so many bytes may have: Deflate reaches 1032:1,
// an index of real names about 20:1.
constexpr std::uint64_t max_index_bytes(std::uint64_t stored_bytes) {
  return 200 * stored_bytes + (std::uint64_t{64} << 20);
}

}  // namespace pqw::archive
