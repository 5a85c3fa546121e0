// The HDF5 part of an archive being written.
#include "archive/hdf5_body.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "archive/layout.h"
#include "h5/attribute.h"
#include "h5/dataset.h"
#include "h5/file.h"
#include "h5/group.h"

namespace pqw::archive {
namespace {

template <class... Args>
void require(bool ok, const Subject& subject, fmt::format_string<Args...> what, Args&&... args) {
  if (ok) return;
  throw subject.error(ErrorCode::kInvalidArgument, what, std::forward<Args>(args)...);
}

void check_section(const std::string& name, const Shape& shape, DType dtype,
                   std::set<std::string_view>& names, const Subject& subject) {
  require(is_identifier(name), subject, "not a valid section name");
  require(names.insert(name).second, subject, "the name is given twice");
  require(is_basic(dtype), subject, "a type that archives do not have");
  require(shape.size() <= h5::kMaxRank && checked_byte_count(shape, dtype).has_value(), subject,
          "shape {} is impossible", to_string(shape));
}

void check_record(const Record& record, std::size_t depth, const Subject& subject) {
  require(depth <= kMaxDepth, subject, "parts are nested beyond a depth of 4");
  require(is_identifier(record.codec) && record.codec != kPlainCodec, subject,
          "codec '{}' is not a valid codec name", shown(record.codec));
  require(record.features.size() <= kMaxFeatures, subject, "more than 32 features");
  for (const std::string& feature : record.features) {
    require(is_identifier(feature), subject, "feature '{}' is not a valid feature name",
            shown(feature));
  }
  require(
      record.options.size() <= kMaxOptionsBytes && record.options.find('\0') == std::string::npos,
      subject, "the text of options is longer than 32 KiB or holds a zero byte");
  require(record.sections.size() + record.parts.size() <= kMaxSections, subject,
          "more than 64 sections");
  std::set<std::string_view> names;
  for (const Section& section : record.sections) {
    check_section(section.name, section.shape, section.dtype, names,
                  subject.in("section", section.name));
  }
  for (const Record& part : record.parts) {
    const Subject of_part = subject.in("section", part.info.name);
    check_section(part.info.name, part.info.shape, part.info.dtype, names, of_part);
    check_record(part, depth + 1, of_part);
  }
}

// Bytes in a header of what HDF5 keeps about attributes as such, and of one attribute: message 4,
// version and sizes 9, name with its zero byte, datatype 8 (text) or 12 (number), dataspace 4 and
// 8 for a dimension.
constexpr std::size_t kAttributeInfoBytes = 22;
std::size_t text_attribute_bytes(std::string_view name, std::size_t text_bytes) {
  return text_bytes == 0 ? 0 : 4 + 9 + name.size() + 1 + 8 + 4 + text_bytes;
}
std::size_t numbers_attribute_bytes(std::string_view name, std::size_t count) {
  return 4 + 9 + name.size() + 1 + 12 + 12 + 8 * count;
}

// So that the header of the group is allocated once and full in the end.
h5::GroupOptions group_size(const Record& record) {
  h5::GroupOptions size;
  size.n_links = record.sections.size() + record.parts.size();
  for (const Section& section : record.sections) size.name_bytes += section.name.size() + 1;
  for (const Record& part : record.parts) size.name_bytes += part.info.name.size() + 1;
  size.extra_bytes =
      kAttributeInfoBytes + text_attribute_bytes(kCodecAttribute, record.codec.size()) +
      text_attribute_bytes(kDtypeAttribute, to_string(record.info.dtype).size()) +
      numbers_attribute_bytes(kShapeAttribute, record.info.shape.size()) +
      text_attribute_bytes(kFeaturesAttribute, joined_features(record.features).size()) +
      text_attribute_bytes(kOptionsAttribute, record.options.size());
  return size;
}

// In the order in which readers find them.
template <class T>
std::vector<const T*> sorted(const std::vector<T>& items, const std::string& (*name)(const T&)) {
  std::vector<const T*> result;
  for (const T& item : items) result.push_back(&item);
  std::ranges::sort(result, {}, [&](const T* item) { return name(*item); });
  return result;
}

const std::string& name_of(const Section& section) { return section.name; }
const std::string& name_of(const Record& record) { return record.info.name; }

h5::GroupOptions tensors_size(const ArchiveWriterOptions& options) {
  h5::GroupOptions size{.keep_order = true, .n_links = options.names.size()};
  for (const std::string& name : options.names) size.name_bytes += link_from_name(name).size() + 1;
  return size;
}

Subject subject_of(const std::string& shown_path) { return {shown_path, ErrorCode::kIo}; }

// On disk or in memory.
template <class File>
h5::Handle create(File& file, const Subject& subject) {
  const auto lock = h5::exclusive();
  return h5::create_file(file, h5::FileKind::kArchive, subject);
}

}  // namespace

Hdf5Body::Hdf5Body(const std::string& file, const std::string& shown_path,
                   const ArchiveWriterOptions& options)
    : Hdf5Body(create(file, subject_of(shown_path)), subject_of(shown_path), options,
               Data::kWrite) {}

Hdf5Body::Hdf5Body(h5::SparseFile& file, const std::string& shown_path,
                   const ArchiveWriterOptions& options)
    : Hdf5Body(create(file, subject_of(shown_path)), subject_of(shown_path), options,
               Data::kAllocateOnly) {}

Hdf5Body::Hdf5Body(h5::Handle file, const Subject& subject, const ArchiveWriterOptions& options,
                   Data data)
    : subject_(subject), data_(data), file_(std::move(file)) {
  const auto lock = h5::exclusive();
  const h5::Object root = h5::open_root(file_.id(), subject_);
  h5::write_text(root.handle.id(), kFormatAttribute, kFormat, subject_);
  h5::write_number(root.handle.id(), kVersionAttribute, kVersion, subject_);
  if (!options.metadata.empty()) write_metadata(options.metadata);
  tensors_ = h5::create_group(file_.id(), kTensorsGroup, tensors_size(options), subject_);
}

void Hdf5Body::write_metadata(const std::map<std::string, std::string>& metadata) {
  std::string text;
  try {
    text = nlohmann::json(metadata).dump();
  } catch (const nlohmann::json::exception&) {
    throw subject_.error(ErrorCode::kInvalidArgument, "the metadata is not UTF-8");
  }
  const Subject subject = subject_.in("metadata");
  h5::Handle dataset = h5::create_text_dataset(file_.id(), kMetadataDataset, text.size(), subject);
  const auto bytes = std::as_bytes(std::span(text));
  h5::write_dataset(dataset.id(), bytes, subject);
  dataset.close(subject);
  list_.add_text(kMetadataDataset, text.size());
  manifest_.arrays.push_back(sha256(bytes));
}

std::string Hdf5Body::claim_name(const TensorInfo& info, const Subject& subject) {
  require(is_basic(info.dtype), subject, "type {}, which archives do not have", dtype_name(info));
  require(info.name.size() <= kMaxNameBytes, subject, "the name is longer than 64 KiB");
  require(names_.insert(info.name).second, subject, "a tensor of that name was added before");
  if (info.shape.size() > h5::kMaxRank) {
    throw subject.error(ErrorCode::kUnsupported, "{} dimensions; HDF5 holds at most 32",
                        info.shape.size());
  }
  require(checked_byte_count(info.shape, info.dtype).has_value(), subject,
          "shape {} overflows 63 bits", to_string(info.shape));
  return link_from_name(info.name);
}

void Hdf5Body::write_array(h5::Id parent, const std::string& path, DType dtype, const Shape& shape,
                           std::span<const std::byte> bytes, const Subject& subject) {
  const std::string link = path.substr(path.rfind('/') + 1);
  h5::Handle dataset =
      h5::create_dataset(parent, link, dtype, shape, h5::Storage::kPacked, subject);
  if (data_ == Data::kWrite) {
    const std::size_t expected = checked_byte_count(shape, dtype).value();
    require(bytes.size() == expected, subject, "{} bytes given, shape {} of {} needs {}",
            bytes.size(), to_string(shape), to_string(dtype), expected);
    h5::write_dataset(dataset.id(), bytes, subject);
  }
  dataset.close(subject);
  list_.add_array(path, dtype, shape);
  manifest_.arrays.push_back(data_ == Data::kWrite ? sha256(bytes) : Digest{});
}

void Hdf5Body::add_plain(const TensorInfo& info, std::span<const std::byte> bytes) {
  const auto lock = h5::exclusive();
  const Subject subject = subject_.in("tensor", info.name);
  const std::string link = claim_name(info, subject);
  write_array(tensors_.id(), tensor_path(link), info.dtype, info.shape, bytes, subject);
}

void Hdf5Body::add(const Record& record) {
  const auto lock = h5::exclusive();
  const Subject subject = subject_.in("tensor", record.info.name);
  check_record(record, 1, subject);
  const std::string link = claim_name(record.info, subject);
  write_group(tensors_.id(), tensor_path(link), record, subject);
}

void Hdf5Body::write_group(h5::Id parent, const std::string& path, const Record& record,
                           const Subject& subject) {
  const std::string link = path.substr(path.rfind('/') + 1);
  h5::Handle group = h5::create_group(parent, link, group_size(record), subject);
  const std::vector<std::uint64_t> shape(record.info.shape.begin(), record.info.shape.end());
  h5::write_text(group.id(), kCodecAttribute, record.codec, subject);
  h5::write_text(group.id(), kDtypeAttribute, std::string(to_string(record.info.dtype)), subject);
  h5::write_numbers(group.id(), kShapeAttribute, shape, subject);
  if (!record.features.empty()) {
    h5::write_text(group.id(), kFeaturesAttribute, joined_features(record.features), subject);
  }
  if (!record.options.empty()) {
    h5::write_text(group.id(), kOptionsAttribute, record.options, subject);
  }
  list_.add_group(path, {record.info, record.codec, record.features, record.options});
  for (const Section* section : sorted<Section>(record.sections, name_of)) {
    write_array(group.id(), path + "/" + section->name, section->dtype, section->shape,
                section->bytes, subject.in("section", section->name));
  }
  for (const Record* part : sorted<Record>(record.parts, name_of)) {
    write_group(group.id(), path + "/" + part->info.name, *part,
                subject.in("section", part->info.name));
  }
  group.close(subject);
}

void Hdf5Body::write_manifest() {
  manifest_.objects = list_.finish();
  const std::vector<std::byte> bytes = render(manifest_);
  const std::size_t n_bytes = bytes.size();
  h5::Handle dataset = h5::create_dataset(file_.id(), kManifestDataset, DType::kU8, {&n_bytes, 1},
                                          h5::Storage::kPacked, subject_);
  h5::write_dataset(dataset.id(), bytes, subject_);
  dataset.close(subject_);
}

void Hdf5Body::close() {
  const auto lock = h5::exclusive();
  write_manifest();
  tensors_.close(subject_);
  file_.close(subject_);
}

}  // namespace pqw::archive
