// Reading archives.
#include <algorithm>
#include <cassert>
#include <nlohmann/json.hpp>
#include <set>

#include "archive/layout.h"
#include "archive/link_name.h"
#include "archive/manifest.h"
#include "archive/tensor_reader.h"
#include "archive/user_block.h"
#include "h5/attribute.h"
#include "h5/file.h"
#include "pqw/archive/archive.h"
#include "pqw/io/mapped_file.h"

namespace pqw {
namespace {

using archive::TensorHead;

// Checks what can be checked before HDF5 sees the file; returns its size.
std::uint64_t check_first_bytes(const h5::Context& context) {
  const MappedFile file(context.file);
  const std::uint64_t size = file.bytes().size();
  const archive::UserBlock block = archive::parse(file.bytes(), context.file);
  if (block.file_bytes != size) {
    throw context.error(std::to_string(size) + " bytes long, its first block says " +
                        std::to_string(block.file_bytes));
  }
  // HDF5's signature, then the version of its superblock. Only version 3 has checksums in all of
  // its metadata and a mark on files that were not closed.
  constexpr std::string_view kSuperblock = "\x89HDF\r\n\x1a\n\x03";
  const auto superblock = file.bytes().subspan(archive::kUserBlockBytes);
  const bool same = superblock.size() >= kSuperblock.size() &&
                    std::equal(kSuperblock.begin(), kSuperblock.end(), superblock.begin(),
                               [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
  if (!same) throw context.error("no HDF5 superblock of version 3 at byte 512");
  return size;
}

// Also notes the place of each array's digest.
void add_to(archive::ManifestList& list, const std::string& path, TensorHead& head) {
  if (head.entry.codec != archive::kPlainCodec) list.add_group(path, head.entry);
  for (archive::ArrayInfo& array : head.arrays) {
    array.digest = list.n_datasets();
    list.add_array(array.name.empty() ? path : path + "/" + array.name, array.dtype, array.shape);
  }
  for (TensorHead& part : head.parts) add_to(list, path + "/" + part.entry.info.name, part);
}

std::map<std::string, std::string> parse_metadata(const std::string& text,
                                                  const h5::Context& context) {
  try {
    return nlohmann::json::parse(text).get<std::map<std::string, std::string>>();
  } catch (const nlohmann::json::exception&) {
    throw context.error("not a JSON object of texts");
  }
}

}  // namespace

struct ArchiveReader::Impl {
  explicit Impl(const std::string& path)
      : context{path, "", ErrorCode::kCorrupt},
        file_bytes(check_first_bytes(context)),
        file(h5::open_file(path, context)) {
    const std::uint64_t end = h5::allocated_end(file.id(), context);
    if (end != file_bytes) {
      throw context.error(std::to_string(file_bytes) + " bytes long, its superblock says " +
                          std::to_string(end));
    }
    read_root();
  }

  void read_root() {
    const h5::Object root = h5::open_root(file.id(), context);
    const h5::Id id = root.handle.id();
    if (h5::read_text(id, archive::kFormatAttribute, archive::kMaxIdentifierBytes, context) !=
            archive::kFormat ||
        h5::read_number(id, archive::kVersionAttribute, context) != archive::kVersion) {
      throw context.error("the format or version of the root group contradicts the first block");
    }
    // Whatever else a later version puts here is not for this one.
    constexpr std::size_t kMaxRootLinks = 1024;
    std::map<std::string, h5::Link> links;
    for (const h5::Link& link :
         h5::list_links(id, h5::LinkOrder::kByName, kMaxRootLinks, context)) {
      links.emplace(link.name, link);
    }
    if (!links.contains(archive::kTensorsGroup)) throw context.error("no group of tensors");
    if (!links.contains(archive::kManifestDataset)) throw context.error("no manifest");
    archive::ManifestList list;
    std::string metadata_text;
    const bool has_metadata = links.contains(archive::kMetadataDataset);
    if (has_metadata) metadata_text = read_metadata(links[archive::kMetadataDataset], list);
    read_tensors(links[archive::kTensorsGroup], list);
    read_manifest(links[archive::kManifestDataset], list);
    if (has_metadata) take_metadata(metadata_text);
  }

  std::string read_metadata(const h5::Link& link, archive::ManifestList& list) {
    std::string text =
        archive::read_text_dataset(file.id(), link, file_bytes, context.about("metadata"));
    list.add_text(archive::kMetadataDataset, text.size());
    return text;
  }

  void take_metadata(const std::string& text) {
    const h5::Context subject = context.about("metadata");
    archive::require_digest(std::as_bytes(std::span(text)), digests.front(), subject);
    metadata = parse_metadata(text, subject);
  }

  // REQUIRES: `list` has all that was read.
  void read_manifest(const h5::Link& link, archive::ManifestList& list) {
    const h5::Context subject = context.about("manifest");
    const archive::ArrayInfo array = archive::read_array_head(file.id(), link, file_bytes, subject);
    archive::Manifest manifest =
        archive::parse_manifest(archive::read_array(file.id(), array, subject), subject);
    if (manifest.arrays.size() != list.n_datasets()) {
      throw subject.error("lists " + std::to_string(manifest.arrays.size()) +
                          " datasets, the file has " + std::to_string(list.n_datasets()));
    }
    if (manifest.objects != list.finish()) {
      throw subject.error(
          "the names, types, shapes and attributes of the file are not those it was made for");
    }
    digests = std::move(manifest.arrays);
  }

  void read_tensors(const h5::Link& link, archive::ManifestList& list) {
    const h5::Context subject = context.about("group 'tensors'");
    if (link.kind != h5::LinkKind::kHard) throw subject.error("not a hard link");
    const h5::Object group = h5::open_object(file.id(), link.address, subject);
    if (group.kind != h5::ObjectKind::kGroup) throw subject.error("not a group");
    std::uint64_t data_bytes = 0;
    std::set<std::string> names;
    for (const h5::Link& tensor : h5::list_links(group.handle.id(), h5::LinkOrder::kByCreation,
                                                 archive::kMaxTensors, subject)) {
      const auto name = archive::name_from_link(tensor.name);
      if (!name) throw subject.error(h5::quoted("link", tensor.name) + " is no name of a tensor");
      const h5::Context of_tensor = context.about(h5::quoted("tensor", *name));
      if (!names.insert(*name).second) throw of_tensor.error("is there twice");
      TensorHead head = archive::read_head(file.id(), tensor, *name, file_bytes, of_tensor);
      data_bytes += head.entry.data_bytes;
      if (data_bytes > file_bytes) throw of_tensor.error("its data overlaps that of others");
      add_to(list, archive::tensor_path(tensor.name), head);
      entries.push_back(head.entry);
      heads.push_back(std::move(head));
    }
  }

  h5::Context context_of(std::size_t index) const {
    return context.about(h5::quoted("tensor", entries.at(index).info.name));
  }

  // The bytes of an array. Errors: kCorrupt, also when they have another digest.
  std::vector<std::byte> read_array(const archive::ArrayInfo& array, h5::Context subject) const {
    if (!array.name.empty()) subject.object += ": " + h5::quoted("section", array.name);
    std::vector<std::byte> bytes = archive::read_array(file.id(), array, subject);
    archive::require_digest(bytes, digests.at(array.digest), subject);
    return bytes;
  }

  Record read_record(const TensorHead& head, const h5::Context& subject) const {
    const ArchiveEntry& entry = head.entry;
    archive::require_known_features(entry, subject);
    Record record{entry.info, entry.codec, entry.features, entry.options, {}};
    for (const archive::ArrayInfo& array : head.arrays) {
      record.sections.push_back({array.name, array.dtype, array.shape, read_array(array, subject)});
    }
    for (const TensorHead& part : head.parts) {
      const std::string object =
          subject.object + ": " + h5::quoted("section", part.entry.info.name);
      record.parts.push_back(read_record(part, subject.about(object)));
    }
    return record;
  }

  h5::Context context;
  std::uint64_t file_bytes;
  h5::Handle file;
  std::map<std::string, std::string> metadata;
  std::vector<ArchiveEntry> entries;
  std::vector<TensorHead> heads;  // of each entry
  std::vector<archive::Digest> digests;
};

ArchiveReader::ArchiveReader(const std::string& path) : impl_(std::make_unique<Impl>(path)) {}
ArchiveReader::~ArchiveReader() = default;
ArchiveReader::ArchiveReader(ArchiveReader&&) noexcept = default;

const std::string& ArchiveReader::path() const { return impl_->context.file; }
std::uint64_t ArchiveReader::file_bytes() const { return impl_->file_bytes; }
const std::vector<ArchiveEntry>& ArchiveReader::entries() const { return impl_->entries; }
const std::map<std::string, std::string>& ArchiveReader::metadata() const {
  return impl_->metadata;
}

Record ArchiveReader::read(std::size_t index) const {
  assert(impl_->entries.at(index).codec != archive::kPlainCodec);
  return impl_->read_record(impl_->heads.at(index), impl_->context_of(index));
}

std::vector<std::byte> ArchiveReader::read_plain(std::size_t index) const {
  assert(impl_->entries.at(index).codec == archive::kPlainCodec);
  return impl_->read_array(impl_->heads.at(index).arrays.at(0), impl_->context_of(index));
}

}  // namespace pqw
