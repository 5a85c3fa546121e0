// Records: compressed tensors as named arrays, which codecs and archives exchange. So codecs do not
// depend on archives, and archives do not depend on codecs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "pqw/core/tensor.h"

namespace pqw {

// One array of a record, row-major and little-endian. Layout: `bytes` holds element_count(shape)
// elements of type dtype.
struct Section {
  std::string name;  // unique in its record; lower-case letters, digits and underscores
  DType dtype = DType::kU8;
  Shape shape;
  std::vector<std::byte> bytes;
};

// A record may have parts, which are records too: so a codec can hold weights of other codecs.
struct Record {
  TensorInfo info;    // of the original tensor; the name of a part is as a section's
  std::string codec;  // "pq", ...
  std::vector<std::string> features;  // properties that a reader must know to decode it
  std::string options;                // how it was made, "key=value,key=value"
  std::vector<Section> sections;
  std::vector<Record> parts = {};  // named as sections are; no name is used twice

  // The section of that name, or null.
  const Section* find(const std::string& name) const;
  const Record* find_part(const std::string& name) const;
};

// Bytes that an archive stores for the record: the sizes of its sections and parts, computed from
// shapes, so the bytes of a planned record may be empty. REQUIRES: sizes that fit 63 bits.
std::uint64_t data_bytes(const Record& record);

}  // namespace pqw
