// A compressed tensor taken apart into named arrays: what codecs and the archive exchange, so that
// neither needs to know the other.
#pragma once

#include <cstddef>
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

struct Record {
  TensorInfo info;                    // of the original tensor
  std::string codec;                  // "pq", ...
  std::vector<std::string> features;  // optional properties that a reader has to know
  std::string options;                // how it was made, "key=value,key=value"
  std::vector<Section> sections;

  // The section of that name, or null.
  const Section* find(const std::string& name) const;
};

}  // namespace pqw
