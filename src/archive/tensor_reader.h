// Reads one tensor of an archive. Checks its headers first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "h5/dataset.h"
#include "h5/group.h"
#include "pqw/archive/archive.h"

namespace pqw::archive {

// One dataset that passed every check.
struct ArrayInfo {
  std::string name;  // of the section; empty for a plain tensor
  DType dtype = DType::kU8;
  Shape shape;
  std::uint64_t address = 0;
  std::uint64_t bytes = 0;
  std::size_t digest = 0;  // its place in the manifest, if there is one
};

// A tensor, or a part of one, whose headers were checked.
struct TensorHead {
  ArchiveEntry entry;             // data_bytes include those of the parts
  std::vector<ArrayInfo> arrays;  // one for a plain tensor, else one per section
  std::vector<TensorHead> parts = {};
};

// Reads and checks the headers of the tensor that `link` of the tensors group points to.
// `file_bytes` bounds every size. Errors: kCorrupt, kUnsupported; subject names the tensor.
TensorHead read_head(h5::Id file, const h5::Link& link, const std::string& name,
                     std::uint64_t file_bytes, const Subject& subject);

// Checks the dataset that `link` of the root group points to. Errors: as above.
ArrayInfo read_array_head(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                          const Subject& subject);

// The bytes, not compared with their digest.
std::vector<std::byte> read_array(h5::Id file, const ArrayInfo& array, const Subject& subject);

// The one text that a text dataset holds. Errors: kCorrupt.
std::string read_text_dataset(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                              const Subject& subject);

}  // namespace pqw::archive
