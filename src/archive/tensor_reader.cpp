// One tensor of an archive: checked before it is used, then read.
#include "archive/tensor_reader.h"

#include <algorithm>
#include <set>

#include "archive/layout.h"
#include "h5/attribute.h"

namespace pqw::archive {
namespace {

h5::Object open_only_name(h5::Id file, const h5::Link& link, const Subject& subject) {
  if (link.kind != h5::LinkKind::kHard) {
    throw subject.error("a soft, external or unknown link, expected a hard link");
  }
  h5::Object object = h5::open_object(file, link.address, subject);
  if (object.n_names != 1) throw subject.error("{} links to it, expected one", object.n_names);
  return object;
}

// The data lies in this file, raw, whole, and is as long as it is said to be.
void check_storage(const h5::DatasetInfo& info, std::uint64_t expected_bytes,
                   std::uint64_t file_bytes, const Subject& subject) {
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

ArrayInfo check_array(const h5::Object& object, std::uint64_t address, std::uint64_t file_bytes,
                      const Subject& subject) {
  if (object.kind != h5::ObjectKind::kDataset) throw subject.error("not a dataset");
  const h5::DatasetInfo info = h5::describe(object.handle.id(), subject);
  if (!info.type || info.type->big_endian) throw subject.error("a type that archives do not have");
  if (!info.has_space || info.shape.size() > h5::kMaxRank) {
    throw subject.error("no shape, or one of more than 32 dimensions");
  }
  const auto bytes = checked_byte_count(info.shape, info.type->dtype);
  if (!bytes) throw subject.error("shape {} overflows 63 bits", to_string(info.shape));
  check_storage(info, *bytes, file_bytes, subject);
  return {"", info.type->dtype, info.shape, address, *bytes};
}

std::string read_identifier(h5::Id object, const char* attribute, const Subject& subject) {
  const std::string text = h5::read_text(object, attribute, kMaxIdentifierBytes, subject);
  if (!is_identifier(text)) {
    throw subject.error("{}, expected letters, digits, underscores", quoted(attribute, text));
  }
  return text;
}

std::vector<std::string> read_features(h5::Id object, const Subject& subject) {
  if (!h5::has_attribute(object, kFeaturesAttribute, subject)) return {};
  const std::string text =
      h5::read_text(object, kFeaturesAttribute, kMaxFeatures * (kMaxIdentifierBytes + 1), subject);
  std::vector<std::string> features;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    features.push_back(text.substr(begin, end - begin));
    if (!is_identifier(features.back()) || features.size() > kMaxFeatures) {
      throw subject.error("features '{}', expected names joined by commas", shown(text));
    }
    begin = end + 1;
  }
  return features;
}

void read_attributes(h5::Id group, ArchiveEntry& entry, const Subject& subject) {
  entry.codec = read_identifier(group, kCodecAttribute, subject);
  if (entry.codec == kPlainCodec) throw subject.error("a group that claims to be plain");
  const std::string dtype = h5::read_text(group, kDtypeAttribute, kMaxIdentifierBytes, subject);
  const auto known = dtype_from_string(dtype);
  if (!known || !is_basic(*known))
    throw subject.error("dtype '{}', which is not an element type", shown(dtype));
  entry.info.dtype = *known;
  const auto shape = h5::read_numbers(group, kShapeAttribute, h5::kMaxRank, subject);
  entry.info.shape.assign(shape.begin(), shape.end());
  if (!checked_byte_count(entry.info.shape, entry.info.dtype)) {
    throw subject.error("shape {} overflows 63 bits", to_string(entry.info.shape));
  }
  entry.features = read_features(group, subject);
  if (h5::has_attribute(group, kOptionsAttribute, subject)) {
    entry.options = h5::read_text(group, kOptionsAttribute, kMaxOptionsBytes, subject);
  }
}

TensorHead read_group(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                      const Subject& subject);

// Datasets are sections, groups are parts.
void read_sections(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                   TensorHead& head, const Subject& subject) {
  std::set<std::string> names;
  for (const h5::Link& link :
       h5::list_links(group, h5::LinkOrder::kByName, kMaxSections, subject)) {
    const Subject section = subject.in("section", link.name);
    if (!is_identifier(link.name)) throw section.error("not a valid section name");
    if (!names.insert(link.name).second) throw section.error("occurs twice");
    const h5::Object object = open_only_name(file, link, section);
    if (object.kind == h5::ObjectKind::kGroup) {
      head.parts.push_back(read_group(file, object.handle.id(), file_bytes, depth + 1, section));
      head.parts.back().entry.info.name = link.name;
      head.entry.data_bytes += head.parts.back().entry.data_bytes;
    } else {
      head.arrays.push_back(check_array(object, link.address, file_bytes, section));
      head.arrays.back().name = link.name;
      head.entry.data_bytes += head.arrays.back().bytes;
    }
    if (head.entry.data_bytes > file_bytes)
      throw section.error("its data overlaps the data of other datasets");
  }
}

// Every group has one link only (open_only_name), so there are no cycles; the depth bounds the
// stack.
TensorHead read_group(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                      const Subject& subject) {
  if (depth > kMaxDepth) throw subject.error("parts are nested beyond a depth of 4");
  TensorHead head;
  read_attributes(group, head.entry, subject);
  read_sections(file, group, file_bytes, depth, head, subject);
  return head;
}

}  // namespace

TensorHead read_head(h5::Id file, const h5::Link& link, const std::string& name,
                     std::uint64_t file_bytes, const Subject& subject) {
  const h5::Object object = open_only_name(file, link, subject);
  TensorHead head;
  if (object.kind == h5::ObjectKind::kGroup) {
    head = read_group(file, object.handle.id(), file_bytes, 1, subject);
  } else {
    head.arrays.push_back(check_array(object, link.address, file_bytes, subject));
    head.entry.codec = kPlainCodec;
    head.entry.info.dtype = head.arrays.front().dtype;
    head.entry.info.shape = head.arrays.front().shape;
    head.entry.data_bytes = head.arrays.front().bytes;
  }
  head.entry.info.name = name;
  return head;
}

ArrayInfo read_array_head(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                          const Subject& subject) {
  return check_array(open_only_name(file, link, subject), link.address, file_bytes, subject);
}

std::vector<std::byte> read_array(h5::Id file, const ArrayInfo& array, const Subject& subject) {
  const h5::Object object = h5::open_object(file, array.address, subject);
  std::vector<std::byte> bytes(array.bytes);
  h5::read_dataset(object.handle.id(), bytes, subject);
  return bytes;
}

std::string read_text_dataset(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                              const Subject& subject) {
  const h5::Object object = open_only_name(file, link, subject);
  if (object.kind != h5::ObjectKind::kDataset) throw subject.error("not a dataset");
  const h5::DatasetInfo info = h5::describe(object.handle.id(), subject);
  if (!info.is_text || !info.has_space || !info.shape.empty()) {
    throw subject.error("not one fixed-length text");
  }
  check_storage(info, info.element_bytes, file_bytes, subject);
  std::string text(info.element_bytes, '\0');
  h5::read_dataset(object.handle.id(), std::as_writable_bytes(std::span(text)), subject);
  return text;
}

}  // namespace pqw::archive
