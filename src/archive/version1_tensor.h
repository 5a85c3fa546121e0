// Reads the headers of one tensor of an archive of version 1, and checks them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/subject.h"
#include "h5/group.h"
#include "pqw/core/record.h"

namespace pqw::archive {

// A tensor, or a part of one, whose headers were checked.
struct TensorHead {
  Record record;                              // as Content has it
  std::vector<std::uint64_t> addresses = {};  // of its datasets, in the order of its arrays
};

// Reads and checks the headers of the tensor that `link` of the tensors group points to.
// `file_bytes` bounds every size. Errors: kCorrupt, kUnsupported; subject names the tensor.
TensorHead read_head(h5::Id file, const h5::Link& link, const std::string& name,
                     std::uint64_t file_bytes, const Subject& subject);

// The bytes of the dataset of numbers of one dimension that `link` points to. Errors: as above.
std::vector<std::byte> read_list(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                                 const Subject& subject);

// The one text that a text dataset holds. Errors: kCorrupt.
std::string read_text_dataset(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                              const Subject& subject);

}  // namespace pqw::archive
