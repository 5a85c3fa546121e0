// The list of everything in an archive of version 1.
#include "archive/version1_manifest.h"

#include <algorithm>
#include <cassert>

#include "archive/layout.h"

namespace pqw::archive {
namespace {

Digest take_digest(std::span<const std::byte>& bytes) {
  Digest digest;
  std::copy_n(bytes.begin(), digest.size(), digest.begin());
  bytes = bytes.subspan(digest.size());
  return digest;
}

}  // namespace

void ManifestList::add_field(std::string_view field) {
  assert(field.find('\0') == std::string_view::npos);
  sum_.update(std::as_bytes(std::span(field)));
  sum_.update({{std::byte{0}}});
}

void ManifestList::add_group(std::string_view path, const Record& record) {
  add_field("group");
  add_field(path);
  add_field(record.codec);
  add_field(to_string(record.info.dtype));
  add_field(to_string(record.info.shape));
  add_field(joined_features(record.features));
  add_field(record.options);
}

void ManifestList::add_array(std::string_view path, DType dtype, const Shape& shape) {
  ++n_datasets_;
  add_field("array");
  add_field(path);
  add_field(to_string(dtype));
  add_field(to_string(shape));
}

void ManifestList::add_text(std::string_view path, std::size_t n_bytes) {
  ++n_datasets_;
  add_field("text");
  add_field(path);
  add_field(std::to_string(n_bytes));
}

Manifest parse_manifest(std::span<const std::byte> bytes, const Subject& subject) {
  if (bytes.size() < 2 * sizeof(Digest) || bytes.size() % sizeof(Digest) != 0) {
    throw subject.error("{} bytes, expected two digests or more", bytes.size());
  }
  const Digest first = take_digest(bytes);
  require_digest(bytes, first, subject);
  Manifest manifest;
  manifest.objects = take_digest(bytes);
  while (!bytes.empty()) manifest.arrays.push_back(take_digest(bytes));
  return manifest;
}

}  // namespace pqw::archive
