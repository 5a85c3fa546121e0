// The manifest of an archive of version 1: one digest of all names, types, shapes and attributes, and one digest
// of the bytes of each dataset.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "archive/digest.h"
#include "core/subject.h"
#include "pqw/core/record.h"

namespace pqw::archive {

// Collects the objects in order: the metadata, then the tensors as they were added. A group comes
// before its sections and parts, which are in the order of their names. A name is the path of links
// from the root group, joined by '/'.
class ManifestList {
 public:
  void add_group(std::string_view path, const Record& record);
  void add_array(std::string_view path, DType dtype, const Shape& shape);
  void add_text(std::string_view path, std::size_t n_bytes);

  std::size_t n_datasets() const { return n_datasets_; }

  // REQUIRES: nothing is added afterwards.
  Digest finish() { return sum_.finish(); }

 private:
  // Every field is followed by a zero byte, which no field contains.
  void add_field(std::string_view field);

  Sha256 sum_;
  std::size_t n_datasets_ = 0;
};

struct Manifest {
  Digest objects = {};         // of the list
  std::vector<Digest> arrays;  // of the bytes of each dataset, in the order of the list
};

// Layout: SHA-256 of all that follows, `objects`, `arrays`; 32 bytes each.
// Errors: kCorrupt when the length or the first digest does not fit.
Manifest parse_manifest(std::span<const std::byte> bytes, const Subject& subject);

}  // namespace pqw::archive
