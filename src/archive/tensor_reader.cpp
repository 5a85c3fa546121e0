// One tensor of an archive: checked before it is used, then read.
#include "archive/tensor_reader.h"

#include <algorithm>
#include <set>

#include "archive/layout.h"
#include "h5/attribute.h"

namespace pqw::archive {
namespace {

h5::Object open_only_name(h5::Id file, const h5::Link& link, const h5::Context& context) {
  if (link.kind != h5::LinkKind::kHard) {
    throw context.error("a soft, external or unknown link, expected a hard link");
  }
  h5::Object object = h5::open_object(file, link.address, context);
  if (object.n_names != 1) {
    throw context.error(std::to_string(object.n_names) + " links to it, expected one");
  }
  return object;
}

// The data lies in this file, raw, whole, and is as long as it is said to be.
void check_storage(const h5::DatasetInfo& info, std::uint64_t expected_bytes,
                   std::uint64_t file_bytes, const h5::Context& context) {
  if (info.is_external) throw context.error("its data is in other files, expected in this one");
  if (info.layout != h5::Layout::kCompact && info.layout != h5::Layout::kContiguous) {
    throw context.error("a chunked or virtual layout, expected contiguous or compact");
  }
  if (!info.filters.empty()) {
    throw context.error("filter " + std::to_string(info.filters.front()) + ", expected none");
  }
  if (info.stored_bytes != expected_bytes) {
    throw context.error(std::to_string(info.stored_bytes) + " bytes stored, its shape needs " +
                        std::to_string(expected_bytes));
  }
  const std::uint64_t offset = info.offset.value_or(0);
  if (expected_bytes > file_bytes || offset > file_bytes - expected_bytes) {
    throw context.error(std::to_string(expected_bytes) + " bytes at " + std::to_string(offset) +
                        ", beyond the end of the file at " + std::to_string(file_bytes));
  }
}

ArrayInfo check_array(const h5::Object& object, std::uint64_t address, std::uint64_t file_bytes,
                      const h5::Context& context) {
  if (object.kind != h5::ObjectKind::kDataset) throw context.error("no dataset");
  const h5::DatasetInfo info = h5::describe(object.handle.id(), context);
  if (!info.type || info.type->big_endian) {
    throw context.error("a type that archives do not have");
  }
  if (!info.has_space || info.shape.size() > h5::kMaxRank) {
    throw context.error("no shape of at most 32 dimensions");
  }
  const auto bytes = checked_byte_count(info.shape, info.type->dtype);
  if (!bytes) throw context.error("shape " + to_string(info.shape) + " overflows 63 bits");
  check_storage(info, *bytes, file_bytes, context);
  return {"", info.type->dtype, info.shape, address, *bytes};
}

std::string read_identifier(h5::Id object, const char* attribute, const h5::Context& context) {
  const std::string text = h5::read_text(object, attribute, kMaxIdentifierBytes, context);
  if (!is_identifier(text)) {
    throw context.error(h5::quoted(attribute, text) + ", expected letters, digits, underscores");
  }
  return text;
}

std::vector<std::string> read_features(h5::Id object, const h5::Context& context) {
  if (!h5::has_attribute(object, kFeaturesAttribute, context)) return {};
  const std::string text =
      h5::read_text(object, kFeaturesAttribute, kMaxFeatures * (kMaxIdentifierBytes + 1), context);
  std::vector<std::string> features;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    features.push_back(text.substr(begin, end - begin));
    if (!is_identifier(features.back()) || features.size() > kMaxFeatures) {
      throw context.error(h5::quoted("features", text) + ", expected names joined by commas");
    }
    begin = end + 1;
  }
  return features;
}

void read_attributes(h5::Id group, ArchiveEntry& entry, const h5::Context& context) {
  entry.codec = read_identifier(group, kCodecAttribute, context);
  if (entry.codec == kPlainCodec) throw context.error("a group that claims to be plain");
  const std::string dtype = h5::read_text(group, kDtypeAttribute, kMaxIdentifierBytes, context);
  const auto known = dtype_from_string(dtype);
  if (!known || !is_basic(*known))
    throw context.error(h5::quoted("dtype", dtype) + ", which is not an element type");
  entry.info.dtype = *known;
  const auto shape = h5::read_numbers(group, kShapeAttribute, h5::kMaxRank, context);
  entry.info.shape.assign(shape.begin(), shape.end());
  if (!checked_byte_count(entry.info.shape, entry.info.dtype)) {
    throw context.error("shape " + to_string(entry.info.shape) + " overflows 63 bits");
  }
  entry.features = read_features(group, context);
  if (h5::has_attribute(group, kOptionsAttribute, context)) {
    entry.options = h5::read_text(group, kOptionsAttribute, kMaxOptionsBytes, context);
  }
}

TensorHead read_group(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                      const h5::Context& context);

// Datasets are sections, groups are parts.
void read_members(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                  TensorHead& head, const h5::Context& context) {
  std::set<std::string> names;
  for (const h5::Link& link :
       h5::list_links(group, h5::LinkOrder::kByName, kMaxSections, context)) {
    const h5::Context member =
        context.about(context.object + ": " + h5::quoted("section", link.name));
    if (!is_identifier(link.name)) throw member.error("which is not a valid section name");
    if (!names.insert(link.name).second) throw member.error("is there twice");
    const h5::Object object = open_only_name(file, link, member);
    if (object.kind == h5::ObjectKind::kGroup) {
      head.parts.push_back(read_group(file, object.handle.id(), file_bytes, depth + 1, member));
      head.parts.back().entry.info.name = link.name;
      head.entry.data_bytes += head.parts.back().entry.data_bytes;
    } else {
      head.arrays.push_back(check_array(object, link.address, file_bytes, member));
      head.arrays.back().name = link.name;
      head.entry.data_bytes += head.arrays.back().bytes;
    }
    if (head.entry.data_bytes > file_bytes) throw member.error("its data overlaps that of others");
  }
}

// Every group has one link only (open_only_name), so there are no cycles; the depth bounds the
// stack.
TensorHead read_group(h5::Id file, h5::Id group, std::uint64_t file_bytes, std::size_t depth,
                      const h5::Context& context) {
  if (depth > kMaxDepth) throw context.error("a part within parts beyond a depth of 4");
  TensorHead head;
  read_attributes(group, head.entry, context);
  read_members(file, group, file_bytes, depth, head, context);
  return head;
}

}  // namespace

TensorHead read_head(h5::Id file, const h5::Link& link, const std::string& name,
                     std::uint64_t file_bytes, const h5::Context& context) {
  const h5::Object object = open_only_name(file, link, context);
  TensorHead head;
  if (object.kind == h5::ObjectKind::kGroup) {
    head = read_group(file, object.handle.id(), file_bytes, 1, context);
  } else {
    head.arrays.push_back(check_array(object, link.address, file_bytes, context));
    head.entry.codec = kPlainCodec;
    head.entry.info.dtype = head.arrays.front().dtype;
    head.entry.info.shape = head.arrays.front().shape;
    head.entry.data_bytes = head.arrays.front().bytes;
  }
  head.entry.info.name = name;
  return head;
}

ArrayInfo read_array_head(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                          const h5::Context& context) {
  return check_array(open_only_name(file, link, context), link.address, file_bytes, context);
}

std::vector<std::byte> read_array(h5::Id file, const ArrayInfo& array, const h5::Context& context) {
  const h5::Object object = h5::open_object(file, array.address, context);
  std::vector<std::byte> bytes(array.bytes);
  h5::read_dataset(object.handle.id(), bytes, context);
  return bytes;
}

void require_known_features(const ArchiveEntry& entry, const h5::Context& context) {
  for (const std::string& feature : entry.features) {
    if (std::ranges::find(kKnownFeatures, feature) != kKnownFeatures.end()) continue;
    throw context.error(ErrorCode::kUnsupported,
                        h5::quoted("feature", feature) + ", which this program does not know");
  }
}

std::string read_text_dataset(h5::Id file, const h5::Link& link, std::uint64_t file_bytes,
                              const h5::Context& context) {
  const h5::Object object = open_only_name(file, link, context);
  if (object.kind != h5::ObjectKind::kDataset) throw context.error("no dataset");
  const h5::DatasetInfo info = h5::describe(object.handle.id(), context);
  if (!info.is_text || !info.has_space || !info.shape.empty()) {
    throw context.error("not one fixed-length text");
  }
  check_storage(info, info.element_bytes, file_bytes, context);
  std::string text(info.element_bytes, '\0');
  h5::read_dataset(object.handle.id(), std::as_writable_bytes(std::span(text)), context);
  return text;
}

}  // namespace pqw::archive
