// The headers of one tensor of an archive of version 1.
#include "archive/version1_tensor.h"

#include <algorithm>
#include <set>

#include "archive/dataset_checks.h"
#include "archive/layout.h"
#include "h5/attribute.h"

namespace pqw::archive {
namespace {

// Type and shape of a dataset that passes every check; a section without its bytes.
Section check_array(const h5::Object& object, std::uint64_t file_bytes, const Subject& subject) {
  if (object.kind != h5::ObjectKind::kDataset) throw subject.error("not a dataset");
  const h5::DatasetInfo info = h5::describe(object.handle.id(), subject);
  if (!info.type || info.type->big_endian) throw subject.error("a type that archives do not have");
  if (!info.has_space || info.shape.size() > h5::kMaxRank) {
    throw subject.error("no shape, or one of more than 32 dimensions");
  }
  const auto bytes = checked_byte_count(info.shape, info.type->dtype);
  if (!bytes) throw subject.error("shape {} overflows 63 bits", to_string(info.shape));
  check_raw(info, *bytes, file_bytes, subject);
  return {"", info.type->dtype, info.shape, {}};
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

void read_attributes(h5::Id group, Record& entry, const Subject& subject) {
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
  std::vector<std::uint64_t> addresses_of_parts;
  std::uint64_t n_bytes = 0;
  for (const h5::Link& link :
       h5::list_links(group, h5::LinkOrder::kByName, kMaxSections, subject)) {
    const Subject section = subject.in("section", link.name);
    if (!is_identifier(link.name)) throw section.error("not a valid section name");
    if (!names.insert(link.name).second) throw section.error("occurs twice");
    const h5::Object object = open_only_name(file, link, section);
    if (object.kind == h5::ObjectKind::kGroup) {
      TensorHead part = read_group(file, object.handle.id(), file_bytes, depth + 1, section);
      part.record.info.name = link.name;
      n_bytes += data_bytes(part.record);
      addresses_of_parts.insert(addresses_of_parts.end(), part.addresses.begin(),
                                part.addresses.end());
      head.record.parts.push_back(std::move(part.record));
    } else {
      Section array = check_array(object, file_bytes, section);
      array.name = link.name;
      n_bytes += byte_count({array.name, array.dtype, array.shape});
      head.addresses.push_back(link.address);
      head.record.sections.push_back(std::move(array));
    }
    if (n_bytes > file_bytes) throw section.error("its data overlaps the data of other datasets");
  }
  head.addresses.insert(head.addresses.end(), addresses_of_parts.begin(), addresses_of_parts.end());
}

// Every group has one link only (open_only_name), so there are no cycles; the depth bounds the
// stack.
TensorHead read_group(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                      const Subject& subject) {
  if (depth > kMaxDepth) throw subject.error("parts are nested beyond a depth of 4");
  TensorHead head;
  read_attributes(group, head.record, subject);
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
    const Section array = check_array(object, file_bytes, subject);
    head.record.codec = kPlainCodec;
    head.record.info = {"", array.dtype, array.shape};
    head.addresses = {link.address};
  }
  head.record.info.name = name;
  return head;
}

std::vector<std::byte> read_list(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                                 const Subject& subject) {
  const h5::Object object = open_only_name(file, link, subject);
  const Section array = check_array(object, file_bytes, subject);
  std::vector<std::byte> bytes(byte_count({"", array.dtype, array.shape}));
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
  check_raw(info, info.element_bytes, file_bytes, subject);
  std::string text(info.element_bytes, '\0');
  h5::read_dataset(object.handle.id(), std::as_writable_bytes(std::span(text)), subject);
  return text;
}

}  // namespace pqw::archive
